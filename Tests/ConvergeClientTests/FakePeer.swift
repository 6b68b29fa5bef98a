import ConvergeClient
import Glibc
import Synchronization
import Testing

/// A peer that does whatever a test says on the first connection it gets. The script runs on a thread of its own with
/// blocking reads; it ends when the peer is let go, because its sockets are shut down. Nobody waits for that: tests run
/// on threads that must not block.
final class FakePeer: Sendable {
    let port: UInt16
    private let sockets: Sockets

    /// Shared with the thread, which closes them.
    private final class Sockets: Sendable {
        let listener: Int32
        let body: @Sendable (FakeConnection) throws -> Void
        private let accepted = Mutex<(descriptor: Int32, isOver: Bool)>((-1, false))

        init(_ listener: Int32, _ body: @escaping @Sendable (FakeConnection) throws -> Void) {
            self.listener = listener
            self.body = body
        }

        func serve() {
            let descriptor = accept(listener, nil, nil)
            guard descriptor >= 0 else { return }
            let isOver = accepted.withLock { accepted in
                accepted.descriptor = descriptor
                return accepted.isOver
            }
            if !isOver { try? body(FakeConnection(descriptor)) }
        }

        func end() {
            shutdown(listener, Int32(SHUT_RDWR))
            accepted.withLock { accepted in
                accepted.isOver = true
                if accepted.descriptor >= 0 { shutdown(accepted.descriptor, Int32(SHUT_RDWR)) }
            }
        }

        /// The script has ended and the peer was let go.
        deinit {
            accepted.withLock { if $0.descriptor >= 0 { Glibc.close($0.descriptor) } }
            Glibc.close(listener)
        }
    }

    init(_ body: @escaping @Sendable (FakeConnection) throws -> Void) throws {
        signal(SIGPIPE, SIG_IGN)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 4) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard status else { throw PeerFailure("the fake peer cannot listen: errno \(errno)") }
        port = UInt16(bigEndian: address.sin_port)
        sockets = Sockets(listener, body)
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Sockets>.fromOpaque(argument!).takeRetainedValue().serve()
                return nil
            }, Unmanaged.passRetained(sockets).toOpaque())
        pthread_detach(thread)
    }

    deinit { sockets.end() }

    func connect(_ configure: (inout ClientOptions) -> Void = { _ in }) async throws(ClientError) -> Client {
        var options = ClientOptions()
        options.timeout = .seconds(20)
        configure(&options)
        return try await Client.connect(host: "127.0.0.1", port: port, options: options)
    }
}

struct PeerFailure: Error {
    let sentence: String
    init(_ sentence: String) { self.sentence = sentence }
}

/// The peer's side of a connection.
struct FakeConnection {
    private let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    func send(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress! + offset, $0.count - offset, 0) }
            guard sent > 0 else { throw PeerFailure("the connection is gone") }
            offset += sent
        }
    }

    func send(_ message: some Message, stream: UInt16 = 0) throws {
        var writer = FrameWriter()
        writer.message(message, stream: stream)
        try send(writer.bytes)
    }

    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// The next frame.
    func receive() throws -> (header: FrameHeader, payload: [UInt8]) {
        let head = try read(FrameHeader.bytes)
        let count = head[6...9].reversed().reduce(0) { $0 << 8 | Int($1) }
        let frame = try head + read(count)
        guard case .frame(let header) = cutFrame(frame.span.bytes, at: 0, payloadMax: .max) else {
            throw PeerFailure("the client sent no frame")
        }
        return (header, Array(frame[FrameHeader.bytes...]))
    }

    /// Reads frames until one of this opcode; its stream id.
    func await(_ opcode: Opcode) throws -> UInt16 {
        while true {
            let (header, _) = try receive()
            if header.opcode == opcode { return header.stream }
        }
    }

    /// Answers CONNECT.
    func greet(heartbeatMilliseconds: UInt32 = 0) throws {
        _ = try self.await(.connect)
        var connected = Connected()
        connected.source = 0
        connected.heartbeatMilliseconds = heartbeatMilliseconds
        connected.server = "fake"
        try send(connected)
    }

    /// Greets, and answers GET_KIND with `Sample.definition` as kind 1.
    func greetWithKind() throws {
        try greet()
        try send(
            KindInfo(kind: 1, definition: Sample.definition.encoded()), stream: self.await(.getKind))
    }

    /// As `greetWithKind`, and answers SUBSCRIBE.
    func greetWithSubscription() throws {
        try greetWithKind()
        try send(Subscribed(kind: 1, klass: 1, flags: [], token: []), stream: self.await(.subscribe))
    }

    private func read(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var offset = 0
        while offset < count {
            let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + offset, count - offset, 0) }
            guard got > 0 else { throw PeerFailure("the connection is gone") }
            offset += got
        }
        return bytes
    }
}

/// The kind of these tests: 4 + 10 bytes of row data.
enum Sample {
    static let definition = KindDefinition(
        name: "Sample",
        fields: [FieldDefinition(name: "level", type: .u32), FieldDefinition(name: "label", type: .string, max: 8)])

    static func state(
        _ id: EntityID, version: UInt64 = 1, type: UInt8 = 1, data: [UInt8] = row(0), fixedBytes: Int? = nil
    ) -> [UInt8] {
        var payload: [UInt8] = [1, 0, 1, 0, type, 0, 1, 0]
        id.withBytes { payload += $0 }
        for number in [version, 1, 3] { payload += bytes(number, 8) }
        payload += bytes(UInt64(fixedBytes ?? data.count), 4) + bytes(UInt64(data.count), 4) + data
        return header(.state, payload.count) + payload
    }

    static func deleted(_ id: EntityID, version: UInt64) -> [UInt8] {
        var payload: [UInt8] = [1, 0, 1, 0, 1, 0, 1, 0]
        id.withBytes { payload += $0 }
        payload += bytes(version, 8)
        return header(.deleted, payload.count) + payload
    }

    static func row(_ level: UInt32) -> [UInt8] {
        bytes(UInt64(level), 4) + [UInt8](repeating: 0, count: 10)
    }

    static func bytes(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}

func header(_ opcode: Opcode, _ payloadBytes: Int, stream: UInt16 = 0) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: FrameHeader.bytes)
    bytes.withUnsafeMutableBytes {
        FrameHeader(stream: stream, opcode: opcode, payloadBytes: payloadBytes).encode(into: $0)
    }
    return bytes
}

/// Holds a peer's thread until it is opened.
final class Gate: Sendable {
    private let ends: (Int32, Int32)

    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "no pipe: errno \(errno)")
        self.ends = (ends[0], ends[1])
    }

    deinit {
        Glibc.close(ends.0)
        Glibc.close(ends.1)
    }

    func open() {
        var byte: UInt8 = 1
        _ = write(ends.1, &byte, 1)
    }

    func pass() {
        var byte: UInt8 = 0
        _ = read(ends.0, &byte, 1)
    }
}
