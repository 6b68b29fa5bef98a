import Glibc

/// A thread that runs a body once and is waited for.
final class Thread {
    private var thread = pthread_t()
    private var isJoined = false

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }

    init(_ run: @escaping @Sendable () -> Void) throws {
        let body = Unmanaged.passRetained(Body(run))
        let failure = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        guard failure == 0 else {
            body.release()
            throw BenchFailure(.cannotConnect, "no thread can be started: raise the limit of processes")
        }
    }

    /// Waits for its end. Called by one thread, more than once for all it cares.
    func join() {
        if !isJoined { pthread_join(thread, nil) }
        isJoined = true
    }
}
