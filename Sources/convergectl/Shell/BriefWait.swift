import Glibc
import Synchronization

/// An answer of a task, for which a thread waits, and not for long.
final class BriefWait<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    /// A byte in it says that the answer is there.
    private let readEnd: Int32
    private let writeEnd: Int32

    private init?() {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return nil }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    private func arrive(_ answer: Value) {
        value.withLock { $0 = answer }
        _ = writeAll(writeEnd, [1])
    }

    /// What `ask` answers within the time; nil: it is too slow, and its answer goes nowhere.
    static func value(within milliseconds: Int, _ ask: @escaping @Sendable () async -> Value) -> Value? {
        guard let wait = BriefWait() else { return nil }
        let task = Task { wait.arrive(await ask()) }
        let deadline = ContinuousClock.now + .milliseconds(milliseconds)
        while true {
            let left = Int32(ContinuousClock.now.duration(to: deadline) / .milliseconds(1))
            var arrived = pollfd(fd: wait.readEnd, events: Int16(POLLIN), revents: 0)
            if left > 0, poll(&arrived, 1, left) < 0, errno == EINTR { continue }
            if arrived.revents == 0 { task.cancel() }
            return wait.value.withLock { $0 }
        }
    }
}
