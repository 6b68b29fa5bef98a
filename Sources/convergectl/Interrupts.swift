import Glibc
import Synchronization

/// SIGINT: the verb under way may end in its own way; without one, or the second time, the command ends at once.
enum Interrupts {
    private static let handler = Mutex<(@Sendable () -> Void)?>(nil)

    /// Called on the main thread before there are others, which inherit its mask.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { _ in
                Interrupts.wait()
                return nil
            }, nil)
        if status != 0 { pthread_sigmask(SIG_UNBLOCK, &set, nil) }
    }

    private static func wait() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        while true {
            var received: Int32 = 0
            guard sigwait(&set, &received) == 0 else { continue }
            let act = handler.withLock { handler in
                defer { handler = nil }
                return handler
            }
            guard let act else { _exit(ExitCode.interrupted.rawValue) }
            act()
        }
    }

    /// Runs `body` as a task that SIGINT cancels.
    static func cancelling<Result: Sendable>(
        _ body: sending @escaping () async throws -> Result
    ) async throws -> Result {
        let task = Task { try await body() }
        handler.withLock { $0 = { task.cancel() } }
        defer { handler.withLock { $0 = nil } }
        return try await task.value
    }
}
