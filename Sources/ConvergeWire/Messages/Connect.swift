public struct ConnectFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// No source is claimed; writes are refused.
    public static let readOnly = ConnectFlags(rawValue: 1)
    /// `source` names the source to claim; without it the server picks the lowest free one.
    public static let hasSource = ConnectFlags(rawValue: 2)
    /// Several connections may be this source together.
    public static let shared = ConnectFlags(rawValue: 4)
    /// Replaces the connection that holds the source.
    public static let takeover = ConnectFlags(rawValue: 8)
}

/// The first message of a connection (L1).
public struct Connect: Message, Hashable {
    public static var opcode: Opcode { .connect }

    public var versionMin: UInt8 = 1
    public var versionMax: UInt8 = 1
    public var flags: ConnectFlags = []
    /// What the client understands beyond version 1; CONNECTED says what was agreed.
    public var features: UInt64 = 0
    /// Names this run of the client, the same across its reconnects.
    public var session: UInt128 = 0
    /// 0...63, with `hasSource`.
    public var source: UInt8 = 0
    /// 0: the server's default; 0xFFFFFFFF: never.
    public var livenessMilliseconds: UInt32 = 0
    public var name: String = ""
    /// For access control; empty for now.
    public var token: [UInt8] = []
    /// Library and version of the client.
    public var client: String = ""

    public init() {}

    public init(reading reader: inout PayloadReader) throws(WireError) {
        versionMin = try reader.number("version_min")
        versionMax = try reader.number("version_max")
        guard versionMin <= versionMax else {
            throw WireError(
                .malformedMessage,
                "CONNECT offers versions \(versionMin) to \(versionMax): 'version_min' must not be above 'version_max'")
        }
        flags = try reader.flags("flags", known: [.readOnly, .hasSource, .shared, .takeover])
        features = try reader.number("features")
        session = try reader.number("session")
        source = try reader.number("source")
        try reader.reserved(3)
        livenessMilliseconds = try reader.number("liveness_ms")
        name = try reader.str16("name")
        token = try reader.token16("token")
        client = try reader.str16("client")
    }

    public var payloadBytes: Int { 36 + 6 + name.utf8.count + token.count + client.utf8.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(versionMin)
        writer.number(versionMax)
        writer.number(flags.rawValue)
        writer.number(features)
        writer.number(session)
        writer.number(source)
        writer.zeros(3)
        writer.number(livenessMilliseconds)
        writer.str16(name)
        writer.token16(token)
        writer.str16(client)
    }
}
