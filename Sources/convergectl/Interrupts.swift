import Glibc
import Synchronization

/// The write end of the pipe that the signal handler has.
private nonisolated(unsafe) var signalled: Int32 = -1

/// SIGINT: the verb under way may end in its own way; without one, or the second time, the command ends at once.
enum Interrupts {
    private static let handler = Mutex<(@Sendable () -> Void)?>(nil)

    /// Called once, before anything starts. The handler only writes a byte to a pipe; a thread of its own acts on it.
    static func prepare() {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return }
        let received = ends[0]
        signalled = ends[1]
        var thread = pthread_t()
        let status = pthread_create(
            &thread, nil,
            { argument in
                Interrupts.act(whenReadable: Int32(Int(bitPattern: argument)))
                return nil
            }, UnsafeMutableRawPointer(bitPattern: Int(received)))
        guard status == 0 else { return }
        var action = sigaction()
        action.__sigaction_handler.sa_handler = { _ in
            let before = errno
            var byte: UInt8 = 0
            _ = write(signalled, &byte, 1)
            errno = before
        }
        action.sa_flags = Int32(bitPattern: UInt32(SA_RESTART))
        sigaction(SIGINT, &action, nil)
    }

    private static func act(whenReadable pipe: Int32) {
        var byte: UInt8 = 0
        while true {
            guard read(pipe, &byte, 1) == 1 else { continue }
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
