/// Says that the client lives; answered by HEARTBEAT_ACK.
public struct Heartbeat: Message, Hashable {
    public static var opcode: Opcode { .heartbeat }

    /// The client's: comes back in the answer.
    public var opaque: UInt64

    public init(opaque: UInt64 = 0) {
        self.opaque = opaque
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        opaque = try reader.number("opaque")
    }

    public var payloadBytes: Int { 8 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(opaque)
    }
}

public struct HeartbeatAck: Message, Hashable {
    public static var opcode: Opcode { .heartbeatAck }

    /// The heartbeat's.
    public var opaque: UInt64

    public init(opaque: UInt64 = 0) {
        self.opaque = opaque
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        opaque = try reader.number("opaque")
    }

    public var payloadBytes: Int { 8 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(opaque)
    }
}
