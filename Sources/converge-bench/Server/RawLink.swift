import ConvergeTransport
import ConvergeWire
import Glibc

/// A blocking socket to the server or to the echo thread: nothing between a run's clock and the kernel. Every wait has a
/// limit.
struct RawLink: ~Copyable {
    private static let timeoutSeconds = 30

    let descriptor: Int32

    /// Takes over an open socket.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout.size(ofValue: one)))
        var limit = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout.size(ofValue: limit)))
        }
    }

    init(host: String, port: UInt16) throws {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let list else {
            throw BenchFailure(.cannotConnect, "there is no address of '\(host)'")
        }
        defer { freeaddrinfo(list) }
        var failure = ECONNREFUSED
        var entry: UnsafeMutablePointer<addrinfo>? = list
        while let address = entry?.pointee {
            let descriptor = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            if descriptor >= 0 {
                if Glibc.connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 {
                    self.init(descriptor: descriptor)
                    return
                }
                failure = errno
                close(descriptor)
            }
            entry = address.ai_next
        }
        throw BenchFailure(.cannotConnect, "\(TransportError.connecting(host: host, port: port, errno: failure))")
    }

    deinit { close(descriptor) }

    /// Connected to the server as a client.
    static func client(_ options: Options, _ connect: Connect) throws -> RawLink {
        let link = try RawLink(host: options.host, port: options.port)
        try link.send(connect, stream: 1)
        try link.awaitReply(.connected, stream: 1)
        return link
    }

    // MARK: Bytes

    /// Sends all of it.
    func send(_ bytes: UnsafeRawBufferPointer) throws {
        var sent = 0
        while sent < bytes.count {
            let count = Glibc.send(
                descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure(errno) }
            sent += count
        }
    }

    /// What there is, at least a byte.
    @inline(__always)
    func receive(_ room: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = recv(descriptor, room.baseAddress, room.count, 0)
            if count > 0 { return count }
            if count == 0 { throw BenchFailure(.cannotConnect, "the server ended a connection during the run") }
            if errno != EINTR { throw Self.failure(errno) }
        }
    }

    /// Until `room` is full.
    func receiveAll(_ room: UnsafeMutableRawBufferPointer) throws {
        var received = 0
        while received < room.count {
            received += try receive(UnsafeMutableRawBufferPointer(rebasing: room[received...]))
        }
    }

    private static func failure(_ error: Int32) -> BenchFailure {
        error == EAGAIN
            ? BenchFailure(.timedOut, "a connection has moved nothing for \(timeoutSeconds) seconds")
            : BenchFailure(.cannotConnect, "a connection broke: \(String(cString: strerror(error)))")
    }

    // MARK: Messages

    func send(_ message: some Message, stream: UInt16) throws {
        try withUnsafeTemporaryAllocation(byteCount: message.frameBytes, alignment: 8) { room in
            message.encodeFrame(stream: stream, into: room)
            try send(UnsafeRawBufferPointer(room))
        }
    }

    /// The next frame, which must be this reply; its payload.
    @discardableResult
    func awaitReply(_ opcode: Opcode, stream: UInt16) throws -> [UInt8] {
        var head = [UInt8](repeating: 0, count: FrameHeader.bytes)
        try head.withUnsafeMutableBytes { try receiveAll($0) }
        // Exactly a header: one whose payload is empty is a frame, any other is not complete.
        var header = FrameHeader(stream: 0, opcode: .error, payloadBytes: 0)
        switch cutFrame(head.span.bytes, at: 0, payloadMax: WireLimits.frameBytes) {
        case .frame(let whole): header = whole
        case .incomplete(let need):
            header.payloadBytes = need - FrameHeader.bytes
            header.stream = UInt16(head[2]) | UInt16(head[3]) << 8
            header.opcode = Opcode(rawValue: UInt16(head[4]) | UInt16(head[5]) << 8)
        case .refused(let error): throw BenchFailure(.cannotConnect, "the server sent a broken frame: \(error)")
        }
        var payload = [UInt8](repeating: 0, count: header.payloadBytes)
        try payload.withUnsafeMutableBytes { try receiveAll($0) }
        if let failure = try BenchFailure(unasked: header, payload.span.bytes) { throw failure }
        guard header.opcode == opcode, header.stream == stream else {
            throw BenchFailure(.checkFailed, "the server answered with \(header.opcode), not \(opcode)")
        }
        return payload
    }
}
