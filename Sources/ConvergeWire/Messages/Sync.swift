/// The barrier behind a connection's writes (W4); answered by SYNCED.
public struct Sync: Message, Hashable {
    public static var opcode: Opcode { .sync }

    public init() {}
    public init(reading reader: inout PayloadReader) throws(WireError) {}
    public var payloadBytes: Int { 0 }
    public func encode(into writer: inout PayloadWriter) {}
}

/// Every write before the SYNC is flushed and on its way to every subscriber (W4).
public struct Synced: Message, Hashable {
    public static var opcode: Opcode { .synced }

    /// Writes of this connection applied, and refused, since it was opened.
    public var applied: UInt64
    public var refused: UInt64
    /// An encoded `Token`.
    public var token: [UInt8]

    public init(applied: UInt64, refused: UInt64, token: [UInt8]) {
        self.applied = applied
        self.refused = refused
        self.token = token
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        applied = try reader.number("applied")
        refused = try reader.number("refused")
        token = try reader.token16("token")
    }

    public var payloadBytes: Int { 18 + token.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(applied)
        writer.number(refused)
        writer.token16(token)
    }
}
