import ConvergeTransport
import Glibc
import Testing

@Suite struct WakerTests {
    @Test(arguments: Machine.backends) func wakesAPollFromAnotherThread(_ backend: TransportBackend) throws {
        var transport = try Transport(TransportOptions(backend: backend))
        let waker = transport.waker
        let thread = wakeFromThread(waker)
        let count = try untilEvents(&transport)
        #expect(count == 1)
        let event = transport.event(0)
        #expect(event.kind == .woken && event.connection == .none)
        pthread_join(thread, nil)
        waker.wake()
        waker.wake()
        let both = try untilEvents(&transport)
        let none = try transport.poll(timeoutMicroseconds: 0)
        #expect(both == 1 && none == 0)
    }

    /// A thread of its own: a task might find all threads of the pool waiting in polls.
    private func wakeFromThread(_ waker: Waker) -> pthread_t {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Argument(waker)).toOpaque()
        let failed = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Argument>.fromOpaque(argument!).takeRetainedValue().waker.wake()
                return nil
            }, argument)
        precondition(failed == 0, "no thread to be had")
        return thread
    }

    private final class Argument {
        let waker: Waker
        init(_ waker: Waker) { self.waker = waker }
    }

    /// A poll may be interrupted, and then has no events.
    private func untilEvents(_ transport: inout Transport) throws -> Int {
        var count = 0
        while count == 0 { count = try transport.poll(timeoutMicroseconds: -1) }
        return count
    }

    @Test(arguments: Machine.backends) func doesNothingWhenTheTransportIsGone(_ backend: TransportBackend) throws {
        let waker = try Transport(TransportOptions(backend: backend)).waker
        waker.wake()
        var transport = try Transport(TransportOptions(backend: backend))
        waker.wake()
        let count = try transport.poll(timeoutMicroseconds: 0)
        #expect(count == 0)
    }
}
