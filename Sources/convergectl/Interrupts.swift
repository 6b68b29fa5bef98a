import Glibc
import Synchronization

/// The write end of the pipe that the signal handler has.
private nonisolated(unsafe) var signalled: Int32 = -1

/// SIGINT: the verb under way may end in its own way; without one, or the second time, the command ends at once. A shell
/// outlives it: there the second time is one that comes when the verb has had a second to end.
enum Interrupts {
    private struct State {
        /// A verb is under way.
        var isBusy = false
        /// Ends it; there as soon as it has begun.
        var cancel: (@Sendable () -> Void)?
        /// When it was told to end.
        var told: ContinuousClock.Instant?
        var isShell = false
    }

    private static let state = Mutex(State())
    private static let patience = Duration.seconds(1)

    /// From here on, SIGINT does not end the command when no verb is under way.
    static func keepRunning() {
        state.withLock { $0.isShell = true }
    }

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
            switch state.withLock({ next(&$0) }) {
            case .tell(let handler): handler()
            case .exit: _exit(ExitCode.interrupted.rawValue)
            case .ignore: break
            }
        }
    }

    private enum Act {
        case tell(@Sendable () -> Void)
        case exit, ignore
    }

    private static func next(_ state: inout State) -> Act {
        guard state.isBusy else { return state.isShell ? .ignore : .exit }
        guard let told = state.told else {
            state.told = .now
            return state.cancel.map { .tell($0) } ?? .ignore
        }
        return state.isShell && told.duration(to: .now) < patience ? .ignore : .exit
    }

    /// Runs `body` as a task that SIGINT cancels. Inside another such body, it is cancelled with that one.
    static func cancelling<Result: Sendable>(
        _ body: sending @escaping () async throws -> Result
    ) async throws -> Result {
        let isOutermost = state.withLock { state in
            defer { state.isBusy = true }
            return !state.isBusy
        }
        let task = Task { try await body() }
        if isOutermost {
            let wasTold = state.withLock { state in
                state.cancel = { task.cancel() }
                return state.told != nil
            }
            if wasTold { task.cancel() }
        }
        defer {
            if isOutermost {
                state.withLock {
                    $0.isBusy = false
                    $0.cancel = nil
                    $0.told = nil
                }
            }
        }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
