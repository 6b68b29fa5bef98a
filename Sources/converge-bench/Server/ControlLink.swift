import ConvergeJSON
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// A connection for what is not measured: one request at a time, each waited for.
struct ControlLink: ~Copyable {
    private static let timeoutMicroseconds: Int64 = 30_000_000
    private static let queriesAtOnce = 512

    private let options: Options
    private var transport: Transport
    private let connection: Connection
    private var isConnected = false

    private init(_ options: Options, _ transport: consuming Transport, _ connection: Connection) {
        self.options = options
        self.transport = transport
        self.connection = connection
    }

    static func connected(_ options: Options) throws -> ControlLink {
        var transport = try Transport()
        let connection = try transport.connect(host: options.host, port: options.port)
        var link = ControlLink(options, transport, connection)
        _ = try link.request(Connect.bench(.readOnly), Connected.self)
        return link
    }

    /// The number of the kind, which is created unless it is there.
    mutating func create(_ definition: KindDefinition) throws -> UInt16 {
        try request(CreateKind(definition: definition.encoded()), KindInfo.self).kind
    }

    mutating func statistics() throws -> ServerStatistics {
        let reply = try request(Admin(json: Array(#"{"command":"stats"}"#.utf8)), AdminReply.self)
        return ServerStatistics(try JSONValue(parsing: reply.json))
    }

    /// The versions of the entities `int:0` to `int:count-1`, 0 where there is none.
    mutating func versions(kind: UInt16, count: Int) throws -> [UInt32] {
        var versions = [UInt32](repeating: 0, count: count)
        /// By stream: the entity that was asked for and not answered, -1: none. Answers may overtake each other.
        var asking = [Int](repeating: -1, count: Int(WireLimits.streamMax) + 1)
        var asked = 0
        var answered = 0
        while answered < count {
            while asked < count, asked - answered < Self.queriesAtOnce {
                let query = Query(kind: kind, flags: [], id: .int(UInt64(asked)))
                // More are never under way than there are streams, but the oldest may have been overtaken by all others.
                let stream = asked % Int(WireLimits.streamMax) + 1
                guard asking[stream] < 0 else { break }
                asking[stream] = asked
                try transport.send(query, stream: UInt16(stream), to: connection)
                asked += 1
            }
            try receive { header, payload in
                guard header.opcode == .queryResult else { return }
                guard Int(header.stream) < asking.count, asking[Int(header.stream)] >= 0 else {
                    throw BenchFailure(
                        .checkFailed, "the server answered on stream \(header.stream), where nothing is asked")
                }
                let result = try QueryResult(payload: payload)
                versions[asking[Int(header.stream)]] =
                    result.status == 1 ? UInt32(truncatingIfNeeded: result.version) : 0
                asking[Int(header.stream)] = -1
                answered += 1
            }
        }
        return versions
    }

    private mutating func request<Reply: Message>(_ message: some Message, _: Reply.Type) throws -> Reply {
        try transport.send(message, stream: 1, to: connection)
        var reply: Reply?
        while true {
            try receive { header, payload in
                if header.opcode == Reply.opcode, header.stream == 1 { reply = try Reply(payload: payload) }
            }
            if let reply { return reply }
        }
    }

    /// Waits for something to come, and hands on its frames.
    private mutating func receive(_ take: (FrameHeader, RawSpan) throws -> Void) throws {
        let events = try transport.poll(timeoutMicroseconds: Self.timeoutMicroseconds)
        guard events > 0 else { throw BenchFailure(.timedOut, "the server has not answered for 30 seconds") }
        for index in 0..<events {
            let event = transport.event(index)
            switch event.kind {
            case .connected: isConnected = true
            case .closed: throw BenchFailure(closed: event.error, options, wasConnected: isConnected)
            case .received:
                let taken = try eachFrame(event.bytes) { header, payload in
                    if let failure = try BenchFailure(unasked: header, payload) { throw failure }
                    try take(header, payload)
                }
                transport.consume(index, used: taken.used, need: taken.need)
            case .ended: transport.closeEnded(event)
            default: break
            }
        }
    }
}
