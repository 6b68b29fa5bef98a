import Glibc

/// Runs `body` on a thread of its own, for what blocks, as a task must not: a transport's poll, a terminal's input. False when
/// none can be started.
package func startThread(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    let argument = Unmanaged.passRetained(Body(body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { pointer in
            Unmanaged<Body>.fromOpaque(pointer!).takeRetainedValue().run()
            return nil
        }, argument.toOpaque())
    guard status == 0 else {
        argument.release()
        return false
    }
    pthread_detach(thread)
    return true
}
