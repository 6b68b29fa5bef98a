public struct QueryFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Wait until this connection's earlier writes are installed (F3).
    public static let afterMyWrites = QueryFlags(rawValue: 1)
}

/// Asks for one entity (R1); answered by QUERY_RESULT.
public struct Query: Message, Hashable {
    public static var opcode: Opcode { .query }

    public var kind: UInt16
    public var flags: QueryFlags
    public var id: EntityID

    public init(kind: UInt16, flags: QueryFlags = [], id: EntityID) {
        self.kind = kind
        self.flags = flags
        self.id = id
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        flags = try reader.flags("flags", known: .afterMyWrites)
        id = try reader.id("id")
    }

    public var payloadBytes: Int { 36 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.number(flags.rawValue)
        writer.id(id)
    }
}

extension Query {
    /// A QUERY where it was received, for who answers many: its id is not copied.
    @frozen
    public struct InPlace {
        public let kind: UInt16
        public let flags: QueryFlags
        /// Of the 32 bytes.
        public let idOffset: Int

        /// Nil: it is not a QUERY as it must be; decoding it says why.
        @inlinable
        public init?(_ header: FrameHeader, _ bytes: RawSpan, payload offset: Int) {
            guard header.opcode == .query, header.payloadBytes == 36, 1...WireLimits.streamMax ~= header.stream else {
                return nil
            }
            kind = load(bytes, at: offset, as: UInt16.self)
            flags = QueryFlags(rawValue: load(bytes, at: offset + 2, as: UInt16.self))
            idOffset = offset + 4
            guard flags.isSubset(of: .afterMyWrites) else { return nil }
        }
    }
}

/// An entity as it is installed.
public struct QueryResult: Message, Hashable {
    public static var opcode: Opcode { .queryResult }

    public enum Status: UInt8, Sendable {
        case notFound = 0
        case alive = 1
        case tombstone = 2
    }

    /// A `Status`.
    public var status: UInt8 = 0
    public var schema: UInt8 = 0
    /// Of a tombstone: the version its deletion was given.
    public var version: UInt64 = 0
    public var sourceSet: UInt64 = 0
    /// How much of `data` is its fixed zone.
    public var fixedBytes: UInt32 = 0
    /// Empty unless alive.
    public var data: [UInt8] = []

    public init() {}

    public init(reading reader: inout PayloadReader) throws(WireError) {
        status = try reader.number("status")
        schema = try reader.number("schema")
        try reader.reserved(2)
        version = try reader.number("version")
        sourceSet = try reader.number("source_set")
        fixedBytes = try reader.number("fixed_len")
        let dataBytes: UInt32 = try reader.number("data_len")
        data = try reader.array("data", count: Int(dataBytes))
        guard fixedBytes <= dataBytes else {
            throw WireError(.malformedMessage, "\(Self.opcode) has a 'fixed_len' above its 'data_len'")
        }
    }

    public var payloadBytes: Int { 28 + data.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(status)
        writer.number(schema)
        writer.zeros(2)
        writer.number(version)
        writer.number(sourceSet)
        writer.number(fixedBytes)
        writer.number(UInt32(data.count))
        writer.raw(data)
    }
}
