import ConvergeTransport
import Testing

@Suite struct WakerTests {
    @Test func wakesAPollFromAnotherThread() async throws {
        var transport = try Transport()
        let waker = transport.waker
        let task = Task.detached { waker.wake() }
        let count = try transport.poll(timeoutMicroseconds: -1)
        #expect(count == 1)
        let event = transport.event(0)
        #expect(event.kind == .woken && event.connection == .none)
        await task.value
        waker.wake()
        waker.wake()
        let both = try transport.poll(timeoutMicroseconds: -1)
        let none = try transport.poll(timeoutMicroseconds: 0)
        #expect(both == 1 && none == 0)
    }

    @Test func doesNothingWhenTheTransportIsGone() throws {
        let waker = try Transport().waker
        waker.wake()
        var transport = try Transport()
        waker.wake()
        let count = try transport.poll(timeoutMicroseconds: 0)
        #expect(count == 0)
    }
}
