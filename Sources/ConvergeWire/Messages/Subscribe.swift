public struct SubscribeFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// First everything that is there (R3), or, with a token, what changed since (R4).
    public static let bootstrap = SubscribeFlags(rawValue: 1)
    /// STATE and DELETED carry the data before.
    public static let previous = SubscribeFlags(rawValue: 2)
    public static let progress = SubscribeFlags(rawValue: 4)
    /// A slow reader is not disconnected but gets the latest states (R5).
    public static let conflate = SubscribeFlags(rawValue: 8)
    public static let sourceChanges = SubscribeFlags(rawValue: 16)
    public static let noMetadata = SubscribeFlags(rawValue: 32)

    static let known: SubscribeFlags = [.bootstrap, .previous, .progress, .conflate, .sourceChanges, .noMetadata]
}

/// Subscribes to a kind (R2); answered by SUBSCRIBED.
public struct Subscribe: Message, Hashable {
    public static var opcode: Opcode { .subscribe }

    public var kind: UInt16
    public var flags: SubscribeFlags
    /// Notifications that may wait unsent (R5); 0: the server's default.
    public var buffer: UInt32
    /// Fields whose changes matter (R6); 0: all.
    public var interest: UInt64
    /// An encoded `Token` to resume from, or empty.
    public var token: [UInt8]

    public init(
        kind: UInt16, flags: SubscribeFlags = [], buffer: UInt32 = 0, interest: UInt64 = 0, token: [UInt8] = []
    ) {
        self.kind = kind
        self.flags = flags
        self.buffer = buffer
        self.interest = interest
        self.token = token
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        flags = try reader.flags("flags", known: .known)
        buffer = try reader.number("buffer")
        interest = try reader.number("interest")
        token = try reader.token16("token")
    }

    public var payloadBytes: Int { 18 + token.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.number(flags.rawValue)
        writer.number(buffer)
        writer.number(interest)
        writer.token16(token)
    }
}

/// The subscription is there; notifications follow that name its kind and class.
public struct Subscribed: Message, Hashable {
    public static var opcode: Opcode { .subscribed }

    public var kind: UInt16
    public var klass: UInt16
    /// What was granted of the flags asked for.
    public var flags: SubscribeFlags
    /// An encoded `Token` of the point from which notifications follow.
    public var token: [UInt8]

    public init(kind: UInt16, klass: UInt16, flags: SubscribeFlags, token: [UInt8]) {
        self.kind = kind
        self.klass = klass
        self.flags = flags
        self.token = token
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
        klass = try reader.number("class")
        flags = try reader.flags("flags", known: .known)
        try reader.reserved(2)
        token = try reader.token16("token")
    }

    public var payloadBytes: Int { 10 + token.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
        writer.number(klass)
        writer.number(flags.rawValue)
        writer.zeros(2)
        writer.token16(token)
    }
}

/// Ends the subscription to a kind; answered by UNSUBSCRIBED.
public struct Unsubscribe: Message, Hashable {
    public static var opcode: Opcode { .unsubscribe }

    public var kind: UInt16

    public init(kind: UInt16) {
        self.kind = kind
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
    }

    public var payloadBytes: Int { 2 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
    }
}

/// The last message about the kind until it is subscribed again.
public struct Unsubscribed: Message, Hashable {
    public static var opcode: Opcode { .unsubscribed }

    public var kind: UInt16

    public init(kind: UInt16) {
        self.kind = kind
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        kind = try reader.number("kind")
    }

    public var payloadBytes: Int { 2 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(kind)
    }
}
