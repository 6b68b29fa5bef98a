import ConvergeTransport
import Glibc
import Testing

@Suite struct TransportErrorTests {
    /// What listening here is refused with.
    private func refusal(_ host: String, _ port: UInt16) throws -> TransportError? {
        var transport = try Transport()
        do {
            _ = try transport.listen(host: host, port: port)
            return nil
        } catch {
            return error
        }
    }

    @Test func portInUse() throws {
        let loopback = try Loopback.start(.auto)
        let error = try #require(try refusal("127.0.0.1", loopback.port))
        #expect(error.errno == EADDRINUSE)
        #expect(
            error.description == "127.0.0.1:\(loopback.port) is in use: stop the other server, or choose another port")
    }

    @Test func addressOfAnotherMachine() throws {
        let error = try #require(try refusal("192.0.2.1", 0))
        #expect(error.description.hasPrefix("192.0.2.1 is not an address of this machine"))
    }

    @Test func nameThatDoesNotResolve() throws {
        let sentence = "the name \"no such name\" does not resolve to an address: check its spelling"
        #expect(try refusal("no such name", 0)?.description == sentence)
        var transport = try Transport()
        do {
            _ = try transport.connect(host: "no such name", port: 1)
            Issue.record("it resolved")
        } catch {
            #expect(error.description == sentence)
        }
    }

    @Test(arguments: Machine.backends) func connectionRefused(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        loopback.server.stopListening()
        let connection = try loopback.client.connect(host: "127.0.0.1", port: loopback.port)
        var refused: TransportError?
        while refused == nil {
            let count = try loopback.client.poll(timeoutMicroseconds: 1000)
            for index in 0..<count {
                let event = loopback.client.event(index)
                guard event.kind == .closed, event.connection == connection else { continue }
                refused = .connecting(host: "127.0.0.1", port: loopback.port, errno: event.error)
            }
        }
        #expect(refused?.errno == ECONNREFUSED)
        #expect(refused?.description == "nothing listens on 127.0.0.1:\(loopback.port): is the server running?")
    }

    @Test func addressesOfVersionSixAreBracketed() {
        let error = TransportError.connecting(host: "::1", port: 3727, errno: ECONNREFUSED)
        #expect(error.description == "nothing listens on [::1]:3727: is the server running?")
    }
}
