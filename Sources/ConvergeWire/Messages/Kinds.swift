/// Registers a kind (K1); answered by KIND_INFO. The definition's format belongs to ConvergeSchema.
public struct CreateKind: Message, Hashable {
    public static var opcode: Opcode { .createKind }

    public var definition: [UInt8]

    public init(definition: [UInt8]) {
        self.definition = definition
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        definition = reader.rest()
    }

    public var payloadBytes: Int { definition.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.raw(definition)
    }
}

/// Asks for a kind by its name; answered by KIND_INFO.
public struct GetKind: Message, Hashable {
    public static var opcode: Opcode { .getKind }

    public var name: String

    public init(name: String) {
        self.name = name
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        name = try reader.str16("name")
    }

    public var payloadBytes: Int { 2 + name.utf8.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.str16(name)
    }
}

/// Asks for the kinds with numbers above one, by default all of them; answered by KIND_LIST.
public struct ListKinds: Message, Hashable {
    public static var opcode: Opcode { .listKinds }

    /// 0, which is no kind's number: from the beginning. Then the payload is empty.
    public var after: UInt16

    public init(after: UInt16 = 0) {
        self.after = after
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        after = reader.remaining == 0 ? 0 : try reader.number("after")
    }

    public var payloadBytes: Int { after == 0 ? 0 : 2 }

    public func encode(into writer: inout PayloadWriter) {
        if after != 0 { writer.number(after) }
    }
}

/// A kind as the server has it: the number that writes and subscriptions use, and the definition.
public struct KindInfo: Message, Hashable {
    public static var opcode: Opcode { .kindInfo }

    public var kind: UInt16
    public var definition: [UInt8]

    public init(kind: UInt16, definition: [UInt8]) {
        self.kind = kind
        self.definition = definition
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        definition = reader.rest()
    }

    public var payloadBytes: Int { 2 + definition.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.raw(definition)
    }
}

public struct KindListFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// There are kinds behind the last one: ask for those after its number.
    public static let more = KindListFlags(rawValue: 1)
}

/// Kinds in the order of their numbers, as many as fit; at most 65,535.
public struct KindList: Message, Hashable {
    public static var opcode: Opcode { .kindList }

    public var kinds: [KindInfo]
    public var flags: KindListFlags

    public init(kinds: [KindInfo], flags: KindListFlags = []) {
        self.kinds = kinds
        self.flags = flags
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        let count: UInt16 = try reader.number("count")
        flags = try reader.flags("flags", known: .more)
        kinds = []
        for _ in 0..<count {
            let bytes: UInt32 = try reader.number("info_len")
            let info = try reader.array("info", count: Int(bytes))
            kinds.append(try KindInfo(payload: info.span.bytes))
        }
    }

    public var payloadBytes: Int { kinds.reduce(4) { $0 + 4 + $1.payloadBytes } }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(UInt16(kinds.count))
        writer.number(flags.rawValue)
        for kind in kinds {
            writer.number(UInt32(kind.payloadBytes))
            kind.encode(into: &writer)
        }
    }
}
