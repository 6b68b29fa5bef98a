public struct BootstrapFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Forget everything held of this kind, versions too (R4, R10).
    public static let reset = BootstrapFlags(rawValue: 1)
    /// What follows is only what changed since the token.
    public static let resumed = BootstrapFlags(rawValue: 2)
}

/// Snapshots follow (R3).
public struct BootstrapBegin: Message, Hashable {
    public static var opcode: Opcode { .bootstrapBegin }

    public var kind: UInt16
    public var klass: UInt16
    public var flags: BootstrapFlags
    /// About how many entities will be sent.
    public var estimate: UInt64

    public init(kind: UInt16, klass: UInt16, flags: BootstrapFlags, estimate: UInt64) {
        self.kind = kind
        self.klass = klass
        self.flags = flags
        self.estimate = estimate
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        klass = try reader.number("class")
        flags = try reader.flags("flags", known: [.reset, .resumed])
        try reader.reserved(2)
        estimate = try reader.number("estimate")
    }

    public var payloadBytes: Int { 16 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.number(klass)
        writer.number(flags.rawValue)
        writer.zeros(2)
        writer.number(estimate)
    }
}

/// Everything that was there at the token's point has been sent; from here on changes arrive live.
public struct BootstrapEnd: Message, Hashable {
    public static var opcode: Opcode { .bootstrapEnd }

    public var kind: UInt16
    public var klass: UInt16
    /// STATE and DELETED frames sent since BOOTSTRAP_BEGIN.
    public var count: UInt64
    /// An encoded `Token`.
    public var token: [UInt8]

    public init(kind: UInt16, klass: UInt16, count: UInt64, token: [UInt8]) {
        self.kind = kind
        self.klass = klass
        self.count = count
        self.token = token
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        klass = try reader.number("class")
        try reader.reserved(4)
        count = try reader.number("count")
        token = try reader.token16("token")
    }

    public var payloadBytes: Int { 18 + token.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.number(klass)
        writer.zeros(4)
        writer.number(count)
        writer.token16(token)
    }
}
