/// ERROR: a request or a write was refused (W4).
public struct ErrorMessage: Message, Hashable {
    public static var opcode: Opcode { .error }

    /// A `WireErrorCode`; a client takes numbers it does not know as a refusal whose message explains it.
    public var code: UInt16
    /// The opcode of what was refused; 0 when it is not known.
    public var opcode: UInt16
    /// The server closes the connection behind this message.
    public var fatal: Bool
    /// Of a refused write; else 0.
    public var kind: UInt16
    /// Further refusals that went unreported before this one.
    public var repeated: UInt32
    /// Of a refused write: its ordinal on the connection, the first write being 1 and items of a BATCH counted; else 0.
    public var write: UInt64
    /// Of a refused write; else zero.
    public var id: EntityID
    /// A sentence that says what to change; cut to `WireLimits.sentenceBytes` when encoded.
    public var message: String

    public init(
        code: WireErrorCode, opcode: UInt16, fatal: Bool = false, kind: UInt16 = 0, repeated: UInt32 = 0,
        write: UInt64 = 0, id: EntityID = EntityID(words: (0, 0, 0, 0)), message: String
    ) {
        self.code = code.rawValue
        self.opcode = opcode
        self.fatal = fatal
        self.kind = kind
        self.repeated = repeated
        self.write = write
        self.id = id
        self.message = message
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        code = try reader.number("code")
        opcode = try reader.number("opcode")
        fatal = try reader.number("fatal", as: UInt8.self) != 0
        try reader.reserved(1)
        kind = try reader.number("kind")
        repeated = try reader.number("repeated")
        write = try reader.number("write")
        id = try reader.id("id")
        message = try reader.str16("message")
    }

    public var payloadBytes: Int { 54 + sentenceLength(message) }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(code)
        writer.number(opcode)
        writer.number(fatal ? 1 : 0 as UInt8)
        writer.zeros(1)
        writer.number(kind)
        writer.number(repeated)
        writer.number(write)
        writer.id(id)
        writer.token16(message.utf8.prefix(sentenceLength(message)))
    }
}

/// Bytes of the sentence as it is sent: whole Unicode scalars within the limit, because it may quote hostile input.
func sentenceLength(_ sentence: String) -> Int {
    let bytes = sentence.utf8
    guard bytes.count > WireLimits.sentenceBytes else { return bytes.count }
    var end = bytes.index(bytes.startIndex, offsetBy: WireLimits.sentenceBytes)
    while bytes[end] & 0xC0 == 0x80 { bytes.formIndex(before: &end) }
    return bytes.distance(from: bytes.startIndex, to: end)
}
