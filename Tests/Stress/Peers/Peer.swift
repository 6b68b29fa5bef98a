import ConvergeTransport
import ConvergeWire

/// Who is at this end of a connection. Gets its frames in order, and its end.
class Peer {
    /// It outlives everybody.
    unowned(unsafe) let world: World
    /// `.none`: it has none.
    var connection = Connection.none
    /// CONNECTED has come.
    var isOpen = false
    /// Bytes of a frame that has not come whole.
    var unfinished = 0
    /// When it began to connect, in the transport's time.
    private(set) var since: Int64 = 0

    init(_ world: World) { self.world = world }

    var name: String { "a connection" }

    /// A connection on its way, with its CONNECT and whatever the caller queues behind it.
    func connect(_ connect: Connect) throws(StressFailure) {
        isOpen = false
        unfinished = 0
        since = world.now
        connection = try world.open(self)
        try send(connect, stream: 1)
    }

    func send(_ message: some Message, stream: UInt16 = 0) throws(StressFailure) {
        guard let room = world.transport.reserve(connection, message.frameBytes) else {
            throw StressFailure("\(name) could not queue a \(type(of: message).opcode): out of memory, or it has ended")
        }
        world.transport.commit(connection, message.encodeFrame(stream: stream, into: room))
    }

    /// Ends it without a word.
    func drop() {
        world.forget(connection)
        world.transport.close(connection, lingerMicroseconds: 0)
        connection = .none
        isOpen = false
    }

    func take(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {}

    /// The server has ended the connection; it is forgotten already.
    func ended(_ error: Int32) throws(StressFailure) {}

    // MARK: What every peer may be told

    func lost(_ error: Int32) -> StressFailure {
        StressFailure(
            "\(name) lost its connection without a word of the server (errno \(error)), \((world.now - since) / 1_000) ms after "
                + "it began to connect, \(unfinished > 0 ? "in the middle of" : "behind") a frame; in the last second a turn here took "
                + "up to \(world.longestTurn / 1_000) ms")
    }

    func unexpected(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) -> StressFailure {
        if header.opcode == .error {
            return StressFailure("\(name) was refused: \(try decode(ErrorMessage.self, payload).message)")
        }
        return StressFailure("\(name) was sent a \(header.opcode) on stream \(header.stream) that nobody asked for")
    }

    func decode<Reply: Message>(_: Reply.Type, _ payload: RawSpan) throws(StressFailure) -> Reply {
        do { return try Reply(payload: payload) } catch {
            throw StressFailure("\(name) was sent a \(Reply.opcode) that cannot be decoded: \(error)")
        }
    }
}

extension Connect {
    static func stress(_ flags: ConnectFlags, source: UInt8 = 0, session: UInt128 = 0, name: String) -> Connect {
        var connect = Connect()
        connect.flags = flags
        connect.source = source
        connect.session = session
        connect.name = name
        connect.client = "converge-stress"
        return connect
    }
}
