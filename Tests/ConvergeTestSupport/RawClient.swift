public import ConvergeWire
import Glibc

/// A frame as it came.
public struct ReceivedFrame: Sendable {
    public let stream: UInt16
    public let opcode: Opcode
    public let payload: [UInt8]

    public func decode<M: Message>(_: M.Type = M.self) throws -> M {
        guard opcode == M.opcode else { throw ClientFailure("expected \(M.opcode), got \(self)") }
        return try M(payload: payload.span.bytes)
    }
}

extension ReceivedFrame: CustomStringConvertible {
    public var description: String {
        if opcode == .error, let error = try? decode(ErrorMessage.self) {
            let name = WireErrorCode(rawValue: error.code).map { "\($0)" } ?? "\(error.code)"
            return "ERROR \(name)\(error.fatal ? " fatal" : "") on stream \(stream): \(error.message)"
        }
        if opcode == .serverGoodbye, let goodbye = try? decode(ServerGoodbye.self) {
            return "GOODBYE \(goodbye.reason): \(goodbye.message)"
        }
        return "\(opcode) on stream \(stream), \(payload.count) bytes"
    }
}

public struct ClientFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// A blocking socket that sends whatever bytes a test likes. Every read has a deadline, so that no test hangs.
public final class RawClient {
    private var descriptor: Int32
    private var received: [UInt8] = []
    private var offset = 0
    private var nextStream: UInt16 = 0

    /// - Parameters:
    ///   - receiveBuffer: bytes of the kernel's buffer, small for readers that are to be slow; nil: the kernel's choice.
    public convenience init(_ server: TestServer, receiveBuffer: Int32? = nil, deadlineSeconds: Int = 30) throws {
        try self.init(port: server.port, receiveBuffer: receiveBuffer, deadlineSeconds: deadlineSeconds)
    }

    /// To a server on this machine.
    public init(port: UInt16, receiveBuffer: Int32? = nil, deadlineSeconds: Int = 30) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw ClientFailure("socket: errno \(errno)") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var time = timeval(tv_sec: deadlineSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
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
    }

    deinit { close() }

    public func close() {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Ends with a reset instead of an orderly end.
    public func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    // MARK: Bytes

    public func send(_ bytes: some Collection<UInt8>) throws {
        let bytes = Array(bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw ClientFailure("send: errno \(errno)") }
            sent += count
        }
    }

    public func send(stream: UInt16 = 0, _ message: some Message) throws {
        var writer = FrameWriter()
        writer.message(message, stream: stream)
        try send(writer.bytes)
    }

    /// The next frame; nil at the end of the stream.
    public func receiveOrEnd() throws -> ReceivedFrame? {
        while true {
            switch cutFrame(received.span.bytes, at: offset, payloadMax: WireLimits.frameBytes) {
            case .frame(let header):
                let start = offset + FrameHeader.bytes
                let payload = Array(received[start..<start + header.payloadBytes])
                offset = start + header.payloadBytes
                return ReceivedFrame(stream: header.stream, opcode: header.opcode, payload: payload)
            case .incomplete:
                guard try fill() else { return nil }
            case .refused(let error):
                throw ClientFailure("the server sent a broken frame: \(error)")
            }
        }
    }

    public func receive() throws -> ReceivedFrame {
        guard let frame = try receiveOrEnd() else { throw ClientFailure("the server closed the connection") }
        return frame
    }

    /// The next frame, which must be this message.
    public func receive<M: Message>(_: M.Type) throws -> M { try receive().decode(M.self) }

    /// Everything up to the end of the stream.
    public func receiveAll() throws -> [ReceivedFrame] {
        var frames: [ReceivedFrame] = []
        while let frame = try receiveOrEnd() { frames.append(frame) }
        return frames
    }

    private func fill() throws -> Bool {
        received.removeFirst(offset)
        offset = 0
        let count = withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            var count = recv(descriptor, buffer.baseAddress!, buffer.count, 0)
            while count < 0, errno == EINTR { count = recv(descriptor, buffer.baseAddress!, buffer.count, 0) }
            if count > 0 { received.append(contentsOf: buffer[0..<count]) }
            return count
        }
        guard count >= 0 else {
            if errno == ECONNRESET { return false }
            throw ClientFailure(errno == EAGAIN ? "nothing came within the deadline" : "recv: errno \(errno)")
        }
        return count > 0
    }

    /// Ends this side alone: what comes can still be taken.
    public func endSending() { Glibc.shutdown(descriptor, Int32(SHUT_WR)) }

    /// Nothing has come that is not taken yet.
    public var isIdle: Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return offset == received.count && Glibc.poll(&poll, 1, 0) == 0
    }

    // MARK: Conversations

    /// Sends a request and returns its reply, whatever else comes before it.
    public func request(_ message: some Message) throws -> ReceivedFrame {
        nextStream = nextStream % WireLimits.streamMax + 1
        try send(stream: nextStream, message)
        while true {
            let frame = try receive()
            if frame.stream == nextStream { return frame }
        }
    }

    public func request<Reply: Message>(_ message: some Message, _: Reply.Type) throws -> Reply {
        try request(message).decode(Reply.self)
    }

    @discardableResult
    public func connect(
        source: UInt8? = nil, flags: ConnectFlags = [], session: UInt128 = 0
    ) throws -> Connected {
        var connect = Connect()
        connect.flags = flags
        connect.session = session
        if let source {
            connect.flags.insert(.hasSource)
            connect.source = source
        }
        return try request(connect, Connected.self)
    }

    @discardableResult
    public func sync() throws -> Synced { try request(Sync(), Synced.self) }

    public func query(_ kind: UInt16, _ id: EntityID, flags: QueryFlags = []) throws -> QueryResult {
        try request(Query(kind: kind, flags: flags, id: id), QueryResult.self)
    }
}
