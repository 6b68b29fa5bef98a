/// The answer to CONNECT: the connection may be used.
public struct Connected: Message, Hashable {
    public static var opcode: Opcode { .connected }

    /// `source` of a read-only connection.
    public static let noSource: UInt8 = 255

    public var version: UInt8 = 1
    /// The source that this connection is, or `noSource`.
    public var source: UInt8 = Connected.noSource
    public var features: UInt64 = 0
    /// Microseconds since 1970-01-01 UTC.
    public var serverTimeMicroseconds: UInt64 = 0
    /// How often the client should send something; 0: it need not.
    public var heartbeatMilliseconds: UInt32 = 0
    /// The largest frame either side sends, header included.
    public var frameMax: UInt32 = UInt32(WireLimits.frameBytes)
    public var partitions: UInt16 = 1
    /// Name and version of the server.
    public var server: String = ""

    public init() {}

    public init(reading reader: inout PayloadReader) throws(WireError) {
        version = try reader.number("version")
        source = try reader.number("source")
        try reader.reserved(2)
        features = try reader.number("features")
        serverTimeMicroseconds = try reader.number("server_time_us")
        heartbeatMilliseconds = try reader.number("heartbeat_ms")
        frameMax = try reader.number("max_frame")
        partitions = try reader.number("partitions")
        try reader.reserved(2)
        server = try reader.str16("server")
    }

    public var payloadBytes: Int { 32 + 2 + server.utf8.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(version)
        writer.number(source)
        writer.zeros(2)
        writer.number(features)
        writer.number(serverTimeMicroseconds)
        writer.number(heartbeatMilliseconds)
        writer.number(frameMax)
        writer.number(partitions)
        writer.zeros(2)
        writer.str16(server)
    }
}
