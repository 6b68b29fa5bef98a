/// A question to the server as a JSON document, off every hot path.
public struct Admin: Message, Hashable {
    public static var opcode: Opcode { .admin }

    public var json: [UInt8]

    public init(json: [UInt8]) {
        self.json = json
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        json = reader.rest()
    }

    public var payloadBytes: Int { json.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.raw(json)
    }
}

/// The answer as a JSON document.
public struct AdminReply: Message, Hashable {
    public static var opcode: Opcode { .adminReply }

    public var json: [UInt8]

    public init(json: [UInt8]) {
        self.json = json
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        json = reader.rest()
    }

    public var payloadBytes: Int { json.count }

    public func encode(into writer: inout PayloadWriter) {
        writer.raw(json)
    }
}
