import ConvergeTestSupport
import ConvergeWire
import Glibc

/// A frame on its way from a server to a client.
struct Told {
    var stream: UInt16
    var opcode: Opcode
    var payload: [UInt8]

    /// Of STATE and DELETED.
    var key: UInt64 {
        get { number(8, 8) }
        set { for byte in 0..<8 { payload[8 + byte] = UInt8(truncatingIfNeeded: newValue >> (8 * UInt64(byte))) } }
    }
    var version: UInt64 { number(40, 8) }

    /// Little-endian.
    func number(_ at: Int, _ bytes: Int) -> UInt64 {
        payload[at..<at + bytes].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Stands between a real server and its clients: what they ask arrives as it is, what they are told is what the lie makes of
/// it. A connection has a lie of its own.
final class LyingServer: Sendable {
    typealias Lie = (Told) -> [Told]

    let address: String
    private let descriptor: Int32

    init(_ server: ServerProcess, _ lie: @escaping @Sendable () -> Lie) throws {
        let port = server.address.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        let listens = Self.withLoopback(port: 0) { place, size in
            bind(descriptor, place, size) == 0 && listen(descriptor, 64) == 0
        }
        var bound = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isNamed = withUnsafeMutablePointer(to: &bound) { bound in
            bound.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) == 0 }
        }
        guard listens, isNamed else { throw ClientFailure("no socket to lie from: errno \(errno)") }
        address = "127.0.0.1:\(UInt16(bigEndian: bound.sin_port))"
        detach {
            while case let client = accept(descriptor, nil, nil), client >= 0 {
                _ = fcntl(client, F_SETFD, FD_CLOEXEC)
                let pair = Pair(client: client, server: Self.connected(port: port))
                detach { pair.pass() }
                detach { pair.lie(lie()) }
            }
            close(descriptor)
        }
    }

    /// The thread that accepts ends, and closes the socket.
    deinit { shutdown(descriptor, Int32(SHUT_RD)) }

    private static func connected(port: UInt16) -> Int32 {
        let peer = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        _ = withLoopback(port: port) { place, size in connect(peer, place, size) }
        var one: Int32 = 1
        setsockopt(peer, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        return peer
    }

    private static func withLoopback<Value>(
        port: UInt16, _ use: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &place) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                use($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Both sides of one client's connection; closed when neither direction needs it any more.
private final class Pair: Sendable {
    private let client: Int32
    private let server: Int32

    init(client: Int32, server: Int32) {
        self.client = client
        self.server = server
    }

    deinit {
        close(client)
        close(server)
    }

    /// What the client says.
    func pass() {
        var bytes: [UInt8] = []
        while Self.receive(server: client, into: &bytes) {
            guard Self.send(bytes, to: server) else { break }
            bytes.removeAll(keepingCapacity: true)
        }
        shutdown(server, Int32(SHUT_WR))
    }

    /// What the server says, through the lie.
    func lie(_ lie: LyingServer.Lie) {
        var bytes: [UInt8] = []
        while Self.receive(server: server, into: &bytes) {
            var offset = 0
            var told: [UInt8] = []
            while case .frame(let header) = cutFrame(bytes.span.bytes, at: offset, payloadMax: WireLimits.frameBytes) {
                let start = offset + FrameHeader.bytes
                offset = start + header.payloadBytes
                let truth = Told(stream: header.stream, opcode: header.opcode, payload: Array(bytes[start..<offset]))
                for frame in lie(truth) {
                    told += Frames.frame(frame.opcode, stream: frame.stream, payload: frame.payload)
                }
            }
            bytes.removeFirst(offset)
            guard Self.send(told, to: client) else { break }
        }
        // Also when the client is gone: then nothing it says is of use either.
        shutdown(client, Int32(SHUT_RDWR))
        shutdown(server, Int32(SHUT_RDWR))
    }

    /// What there is; false at the end.
    private static func receive(server: Int32, into bytes: inout [UInt8]) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { room in
            var count = recv(server, room.baseAddress!, room.count, 0)
            while count < 0, errno == EINTR { count = recv(server, room.baseAddress!, room.count, 0) }
            if count > 0 { bytes.append(contentsOf: room[0..<count]) }
            return count > 0
        }
    }

    private static func send(_ bytes: [UInt8], to peer: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(peer, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}

/// Runs it on a thread that nobody waits for.
private func detach(_ body: @escaping @Sendable () -> Void) {
    final class Box {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { argument in
            Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(Box(body)).toOpaque())
    precondition(status == 0, "no thread for the lying server")
    pthread_detach(thread)
}
