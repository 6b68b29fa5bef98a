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

/// Asks for every kind; answered by KIND_LIST.
public struct ListKinds: Message, Hashable {
    public static var opcode: Opcode { .listKinds }

    public init() {}
    public init(reading reader: inout PayloadReader) throws(WireError) {}
    public var payloadBytes: Int { 0 }
    public func encode(into writer: inout PayloadWriter) {}
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

/// Every kind, in the order of their numbers; at most 65,535.
public struct KindList: Message, Hashable {
    public static var opcode: Opcode { .kindList }

    public var kinds: [KindInfo]

    public init(kinds: [KindInfo]) {
        self.kinds = kinds
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        let count: UInt16 = try reader.number("count")
        kinds = []
        for _ in 0..<count {
            let bytes: UInt32 = try reader.number("info_len")
            let info = try reader.array("info", count: Int(bytes))
            kinds.append(try KindInfo(payload: info.span.bytes))
        }
    }

    public var payloadBytes: Int { kinds.reduce(2) { $0 + 4 + $1.payloadBytes } }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(UInt16(kinds.count))
        for kind in kinds {
            writer.number(UInt32(kind.payloadBytes))
            kind.encode(into: &writer)
        }
    }
}
