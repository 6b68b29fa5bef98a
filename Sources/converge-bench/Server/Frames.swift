import ConvergeTransport
import ConvergeWire

/// Hands every whole frame of `bytes` to `take`.
/// - Returns: bytes done with, and how long the unfinished frame behind them is as far as known.
func eachFrame(
    _ bytes: UnsafeRawBufferPointer, _ take: (FrameHeader, RawSpan) throws -> Void
) throws -> (used: Int, need: Int) {
    let span = bytes.bytes
    var offset = 0
    while offset < bytes.count {
        switch cutFrame(span, at: offset, payloadMax: WireLimits.frameBytes) {
        case .frame(let header):
            let start = offset + FrameHeader.bytes
            try take(header, span.extracting(start..<start + header.payloadBytes))
            offset = start + header.payloadBytes
        case .incomplete(let need): return (offset, need)
        case .refused(let error): throw BenchFailure(.cannotConnect, "the server sent a broken frame: \(error)")
        }
    }
    return (offset, 0)
}

extension BenchFailure {
    /// An ERROR or GOODBYE that nobody asked for; nil: any other frame.
    init?(unasked header: FrameHeader, _ payload: RawSpan) throws {
        switch header.opcode {
        case .error: self.init(.refused, "the server refused: \(try ErrorMessage(payload: payload).message)")
        case .serverGoodbye:
            let goodbye = try ServerGoodbye(payload: payload)
            let isSlow = goodbye.reason == GoodbyeReason.slowReader.rawValue
            self.init(isSlow ? .checkFailed : .cannotConnect, "the server said goodbye: \(goodbye.message)")
        default: return nil
        }
    }

    /// A connection that ended; `error` is the errno of its `closed` event.
    init(closed error: Int32, _ options: Options, wasConnected: Bool) {
        self.init(
            .cannotConnect,
            wasConnected
                ? "the server ended a connection during the run"
                : "\(TransportError.connecting(host: options.host, port: options.port, errno: error))")
    }
}

extension Transport {
    /// Queues a message as one frame.
    mutating func send(_ message: some Message, stream: UInt16, to connection: Connection) throws {
        guard let room = reserve(connection, message.frameBytes) else {
            throw BenchFailure(.cannotConnect, "a request could not be queued: its connection has ended")
        }
        commit(connection, message.encodeFrame(stream: stream, into: room))
    }
}

extension Connect {
    static func bench(_ flags: ConnectFlags, source: UInt8 = 0) -> Connect {
        var connect = Connect()
        connect.flags = flags
        connect.source = source
        connect.livenessMilliseconds = .max
        connect.name = "converge-bench"
        connect.client = "converge-bench"
        return connect
    }
}
