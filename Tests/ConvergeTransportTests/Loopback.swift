import ConvergeTransport
import Testing

/// A server and a client transport on one thread, turned in alternation: what happens when is the test's to decide. Messages
/// are a length byte (the whole message) and what follows.
struct Loopback: ~Copyable {
    var server: Transport
    var client: Transport
    let port: UInt16
    /// The connection, as each side names it.
    var atServer = Connection.none
    var atClient = Connection.none
    /// Messages of the client, whole.
    var messages: [[UInt8]] = []
    /// Bytes that came back to the client.
    var replies: [UInt8] = []
    var serverEvents: [TransportEventKind] = []
    var clientEvents: [TransportEventKind] = []
    var endedBecause: TransportEnding?
    var closedWith: Int32?

    private init(server: consuming Transport, client: consuming Transport, port: UInt16, atClient: Connection) {
        self.server = server
        self.client = client
        self.port = port
        self.atClient = atClient
    }

    /// Both ends of one connection.
    static func start(_ backend: TransportBackend, _ options: TransportOptions = .init()) throws -> Loopback {
        var options = options
        options.backend = backend
        var server = try Transport(options)
        var client = try Transport(TransportOptions(backend: backend))
        let port = try server.listen(host: "127.0.0.1", port: 0)
        let connection = try client.connect(host: "127.0.0.1", port: port)
        var loopback = Loopback(server: server, client: client, port: port, atClient: connection)
        while !loopback.serverEvents.contains(.accepted) || !loopback.clientEvents.contains(.connected) {
            try loopback.turn()
        }
        return loopback
    }

    mutating func turn(_ microseconds: Int64 = 1000) throws {
        try turnServer(microseconds)
        try turnClient(0)
    }

    mutating func turnServer(_ microseconds: Int64) throws {
        let count = try server.poll(timeoutMicroseconds: microseconds)
        for index in 0..<count {
            let event = server.event(index)
            serverEvents.append(event.kind)
            switch event.kind {
            case .accepted: atServer = event.connection
            case .received: takeMessages(index, event.bytes)
            case .ended: endedBecause = event.ending
            case .closed: closedWith = event.error
            case .connected, .drained, .woken: break
            }
        }
    }

    mutating func turnClient(_ microseconds: Int64) throws {
        let count = try client.poll(timeoutMicroseconds: microseconds)
        for index in 0..<count {
            let event = client.event(index)
            clientEvents.append(event.kind)
            guard event.kind == .received else { continue }
            replies.append(contentsOf: event.bytes)
            client.consume(index, used: event.bytes.count, need: 0)
        }
    }

    private mutating func takeMessages(_ index: Int, _ bytes: UnsafeRawBufferPointer) {
        var used = 0
        while used < bytes.count {
            let length = Int(bytes[used])
            guard used + length <= bytes.count else { break }
            messages.append(Array(bytes[used..<used + length]))
            used += length
        }
        server.consume(index, used: used, need: used < bytes.count ? Int(bytes[used]) : 0)
    }

    mutating func sendFromClient(_ bytes: [UInt8]) throws {
        let reserved = client.reserve(atClient, bytes.count)
        let room = try #require(reserved)
        room.copyBytes(from: bytes)
        client.commit(atClient, bytes.count)
    }

    mutating func sendFromServer(_ bytes: [UInt8], room: Int? = nil) throws {
        let wanted = room ?? bytes.count
        let granted = server.reserve(atServer, wanted)
        let reserved = try #require(granted)
        #expect(reserved.count == wanted)
        reserved.copyBytes(from: bytes)
        server.commit(atServer, bytes.count)
    }
}
