import ConvergeServer
import Glibc

/// SIGTERM and SIGINT stop the server in order; the second one ends the process at once. A thread waits for them, so that
/// nothing runs inside a signal handler. Called before any other thread is started: all of them block the signals.
func stopOnSignals(_ stopper: Stopper) {
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_BLOCK, &signals, nil)

    let context = Unmanaged.passRetained(SignalContext(stopper: stopper, signals: signals))
    var thread = pthread_t()
    let failure = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            Unmanaged<SignalContext>.fromOpaque(argument).takeRetainedValue().wait()
            return nil
        }, context.toOpaque())
    guard failure == 0 else { fail("no thread for signals could be started: raise the limit of processes", code: 1) }
    pthread_detach(thread)
}

private final class SignalContext {
    let stopper: Stopper
    var signals: sigset_t

    init(stopper: Stopper, signals: sigset_t) {
        self.stopper = stopper
        self.signals = signals
    }

    func wait() {
        var received: Int32 = 0
        sigwait(&signals, &received)
        stopper.stop()
        sigwait(&signals, &received)
        _exit(128 + received)
    }
}
