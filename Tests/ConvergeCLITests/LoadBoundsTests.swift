import ConvergeJSON
import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

/// Thousands of connections that take what they can get. The server is a process of its own: what it takes is its
/// resident memory, and open files are counted for each process.
@Suite(.serialized) struct LoadBoundsTests {
    static let row = KindDefinition(name: "Row", fields: [FieldDefinition(name: "data", type: .bytes, max: 8_000)])

    @Test func tenThousandHalfFramesStayUnderTheBounds() throws {
        let server = try BoundedServer()
        let modest = try ModestClient(server)
        let before = try server.residentBytes()
        // Half of a message that announces twice as much: together more than the pool has.
        let half =
            Frames.header(.connect, stream: 1, payloadBytes: 32 << 10) + [UInt8](repeating: 1, count: 16 << 10)
        let flood = try Flood(port: server.port, sending: half)
        var last = try modest.rounds { $0.integer("net", "unfinished_disconnected") > 0 }
        for _ in 0..<20 { last = try modest.round() }
        #expect(last.integer("net", "unfinished_bytes_peak") <= last.integer("net", "unfinished_bytes_max"))
        #expect(last.integer("net", "unfinished_bytes_peak") > last.integer("net", "unfinished_bytes_max") / 2)
        let grown = try server.residentBytes() - before
        #expect(grown < last.integer("memory", "bounds_bytes_max"), "grew by \(grown)")
        let goodbye = try #require(try flood.firstFarewell())
        #expect(goodbye.reason == GoodbyeReason.limitReached.rawValue)
        #expect(goodbye.message.contains("unfinished messages"))
        report("half frames", flood, modest, grown, last)
    }

    @Test func tenThousandThatNeverReadStayUnderTheBounds() throws {
        let server = try BoundedServer()
        let modest = try ModestClient(server)
        let before = try server.residentBytes()
        let asking = Frames.write { w in
            var connect = Connect()
            connect.flags = .readOnly
            w.message(connect, stream: 1)
            for _ in 0..<64 {
                w.message(Query(kind: modest.kind, id: EntityID.int(1)), stream: 2)
                w.message(ListKinds(after: 0), stream: 3)
            }
        }
        let flood = try Flood(port: server.port, sending: asking)
        var last = try modest.rounds { $0.integer("replies", "disconnected") > 0 }
        for _ in 0..<20 { last = try modest.round() }
        #expect(last.integer("replies", "bytes_peak") <= last.integer("replies", "bytes_max"))
        #expect(last.integer("replies", "bytes_peak") > last.integer("replies", "bytes_max") / 2)
        #expect(last.integer("requests", "held_bytes_peak") <= last.integer("requests", "held_bytes_max"))
        let grown = try server.residentBytes() - before
        #expect(grown < last.integer("memory", "bounds_bytes_max"), "grew by \(grown)")
        report("never read", flood, modest, grown, last)
    }

    private func report(_ name: String, _ flood: Flood, _ modest: ModestClient, _ grown: Int, _ stats: JSONValue) {
        print(
            "\(name): \(flood.count) connections, resident memory grew by \(grown >> 20) MiB of at most "
                + "\(stats.integer("memory", "bounds_bytes_max") >> 20), slowest round \(modest.slowestMilliseconds) ms"
        )
    }
}

extension JSONValue {
    fileprivate func integer(_ object: String, _ member: String) -> Int { self[object]?[member]?.integer() ?? -1 }
}

/// convergedb with bounds that a test can reach.
private final class BoundedServer {
    let port: UInt16
    private let process: Process

    init() throws {
        let given = ["CONVERGEDB_NET", "CONVERGEDB_SHARDS", "CONVERGEDB_PARTITIONS"].compactMap { (name: String) in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        process = try Process(
            "convergedb",
            [
                "serve", "--memory", "--listen", "127.0.0.1:0", "--unfinished-max-mb", "64", "--replies-max-mb", "64",
                "--segments-max-mb", "64", "--pending-max-mb", "4", "--held-max-mb", "64", "--catch-up-max-mb", "16",
                "--connections-max", "12000",
            ], environment: given)
        let line = try process.nextErrorLine() ?? ""
        guard let text = line.split(separator: ":").last, let port = UInt16(text) else {
            throw ClientFailure("convergedb did not start: \(line)")
        }
        self.port = port
    }

    /// VmRSS.
    func residentBytes() throws -> Int {
        let descriptor = open("/proc/\(process.pid)/statm", O_RDONLY)
        defer { close(descriptor) }
        var text = [UInt8](repeating: 0, count: 256)
        let count = read(descriptor, &text, text.count)
        let words = String(decoding: text.prefix(max(0, count)), as: UTF8.self).split(separator: " ")
        guard words.count > 1, let pages = Int(words[1]) else { throw ClientFailure("the server is gone") }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

/// Does what clients do, and expects it to be done in time.
private final class ModestClient {
    let kind: UInt16
    private let client: RawClient
    private let clock = ContinuousClock()
    private var level: UInt8 = 0
    private(set) var slowestMilliseconds = 0

    init(_ server: BoundedServer) throws {
        client = try RawClient(port: server.port, deadlineSeconds: 10)
        try client.connect()
        kind = try client.request(CreateKind(definition: LoadBoundsTests.row.encoded()), KindInfo.self).kind
        _ = try round()
    }

    /// Until the server says something, a thousand at most.
    func rounds(until isDone: (JSONValue) -> Bool) throws -> JSONValue {
        for _ in 0..<1_000 {
            let stats = try round()
            if isDone(stats) { return stats }
        }
        throw ClientFailure("the bound was not reached: \(try round())")
    }

    /// A write, a barrier, a query; then what the server says of itself.
    func round() throws -> JSONValue {
        let start = clock.now
        level &+= 1
        // A bytes value: its length, then as many as it may have.
        let data: [UInt8] = [0x40, 0x1F] + [UInt8](repeating: level, count: 8_000)
        try client.send(Frames.assert(kind, EntityID.int(1), data))
        try client.sync()
        let result = try client.query(kind, EntityID.int(1))
        #expect(result.data.last == level)
        let reply = try client.request(Admin(json: Array(#"{"command":"stats"}"#.utf8)), AdminReply.self)
        slowestMilliseconds = max(slowestMilliseconds, Int((clock.now - start) / .milliseconds(1)))
        return try JSONValue(parsing: reply.json)
    }
}

/// Connections that send something and never read. As many as this process may open, up to 10,000.
private final class Flood {
    private var sockets: [Int32] = []
    var count: Int { sockets.count }

    init(port: UInt16, sending bytes: [UInt8]) throws {
        for _ in 0..<Flood.most {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else { throw ClientFailure("socket: errno \(errno)") }
            sockets.append(descriptor)
            var size: Int32 = 4 << 10
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let status = withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard status == 0 else { throw ClientFailure("connect: errno \(errno)") }
            _ = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
        }
    }

    deinit {
        for descriptor in sockets { close(descriptor) }
    }

    /// The first GOODBYE that one of them finds.
    func firstFarewell() throws -> ServerGoodbye? {
        for descriptor in sockets {
            var bytes = [UInt8](repeating: 0, count: 4 << 10)
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            guard count > FrameHeader.bytes,
                case .frame(let header) = cutFrame(bytes.span.bytes, at: 0, payloadMax: bytes.count),
                header.opcode == .serverGoodbye
            else { continue }
            let payload = Array(bytes[FrameHeader.bytes..<FrameHeader.bytes + header.payloadBytes])
            return try ServerGoodbye(payload: payload.span.bytes)
        }
        return nil
    }

    private static var most: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // The other tests of this process need some.
        return min(10_000, Int(clamping: limit.rlim_cur) - 512)
    }
}
