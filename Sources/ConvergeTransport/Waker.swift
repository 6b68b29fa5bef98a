internal import ConvergeNet

/// Makes a poll under way, or the next one, return with a `woken` event. From any thread and from signal handlers; when the
/// transport is gone it does nothing.
public struct Waker: Sendable {
    private let reference: WakerReference

    init(_ waker: OpaquePointer) { reference = WakerReference(waker) }

    public func wake() { reference.wake() }
}

/// One reference to the transport's waker, which is made for use from every thread.
private final class WakerReference: @unchecked Sendable {
    private let waker: OpaquePointer

    init(_ waker: OpaquePointer) { self.waker = waker }

    deinit { cvg_waker_release(waker) }

    func wake() { cvg_waker_wake(waker) }
}
