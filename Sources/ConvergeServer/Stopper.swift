import ConvergeTransport
import Synchronization

/// Stops a running server from any thread, as long as the server lives.
public struct Stopper: Sendable {
    let flag: StopFlag
    let waker: Waker

    public func stop() {
        flag.raise()
        waker.wake()
    }
}

final class StopFlag: Sendable {
    private let raised = Atomic<Bool>(false)

    var isRaised: Bool { raised.load(ordering: .acquiring) }
    func raise() { raised.store(true, ordering: .releasing) }
}
