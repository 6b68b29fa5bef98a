/// What a frame is. Values below 0x80 go from client to server, the others from server to client.
public struct Opcode: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt16

    @inlinable
    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// True for messages that a server receives: their decoders refuse unknown flags, reserved fields that are not zero,
    /// and trailing bytes. A client ignores all three (see Growth in docs/PROTOCOL.md).
    @inlinable
    public var isFromClient: Bool { rawValue < 0x80 }

    @inlinable public static var connect: Opcode { Opcode(rawValue: 0x01) }
    @inlinable public static var assert: Opcode { Opcode(rawValue: 0x02) }
    @inlinable public static var retract: Opcode { Opcode(rawValue: 0x03) }
    @inlinable public static var query: Opcode { Opcode(rawValue: 0x04) }
    @inlinable public static var subscribe: Opcode { Opcode(rawValue: 0x05) }
    @inlinable public static var unsubscribe: Opcode { Opcode(rawValue: 0x06) }
    @inlinable public static var heartbeat: Opcode { Opcode(rawValue: 0x07) }
    @inlinable public static var patch: Opcode { Opcode(rawValue: 0x08) }
    @inlinable public static var sourceEpochBegin: Opcode { Opcode(rawValue: 0x09) }
    @inlinable public static var sourceEpochEnd: Opcode { Opcode(rawValue: 0x0A) }
    @inlinable public static var batch: Opcode { Opcode(rawValue: 0x0B) }
    @inlinable public static var sync: Opcode { Opcode(rawValue: 0x0C) }
    @inlinable public static var subscribeEvents: Opcode { Opcode(rawValue: 0x0D) }
    @inlinable public static var goodbye: Opcode { Opcode(rawValue: 0x0E) }
    @inlinable public static var createKind: Opcode { Opcode(rawValue: 0x10) }
    @inlinable public static var getKind: Opcode { Opcode(rawValue: 0x11) }
    @inlinable public static var listKinds: Opcode { Opcode(rawValue: 0x12) }
    @inlinable public static var dropKind: Opcode { Opcode(rawValue: 0x13) }
    @inlinable public static var admin: Opcode { Opcode(rawValue: 0x20) }

    @inlinable public static var connected: Opcode { Opcode(rawValue: 0x80) }
    @inlinable public static var state: Opcode { Opcode(rawValue: 0x81) }
    @inlinable public static var deleted: Opcode { Opcode(rawValue: 0x82) }
    @inlinable public static var bootstrapBegin: Opcode { Opcode(rawValue: 0x83) }
    @inlinable public static var bootstrapEnd: Opcode { Opcode(rawValue: 0x84) }
    @inlinable public static var queryResult: Opcode { Opcode(rawValue: 0x85) }
    @inlinable public static var subscribed: Opcode { Opcode(rawValue: 0x86) }
    @inlinable public static var unsubscribed: Opcode { Opcode(rawValue: 0x87) }
    @inlinable public static var epochResult: Opcode { Opcode(rawValue: 0x88) }
    @inlinable public static var kindInfo: Opcode { Opcode(rawValue: 0x89) }
    @inlinable public static var event: Opcode { Opcode(rawValue: 0x8A) }
    @inlinable public static var progress: Opcode { Opcode(rawValue: 0x8B) }
    @inlinable public static var synced: Opcode { Opcode(rawValue: 0x8C) }
    @inlinable public static var heartbeatAck: Opcode { Opcode(rawValue: 0x8D) }
    @inlinable public static var kindList: Opcode { Opcode(rawValue: 0x8E) }
    @inlinable public static var adminReply: Opcode { Opcode(rawValue: 0x8F) }
    @inlinable public static var serverGoodbye: Opcode { Opcode(rawValue: 0x90) }
    @inlinable public static var eventsLost: Opcode { Opcode(rawValue: 0x91) }
    @inlinable public static var error: Opcode { Opcode(rawValue: 0xFF) }
}

extension Opcode: CustomStringConvertible {
    /// The name of the opcode table with its number, e.g. `ASSERT (0x02)`; `opcode 0x77` when it has no name.
    public var description: String {
        let digits = String(rawValue, radix: 16, uppercase: true)
        let number = "0x" + String(repeating: "0", count: max(0, 2 - digits.utf8.count)) + digits
        guard let name else { return "opcode \(number)" }
        return "\(name) (\(number))"
    }

    /// The name of the opcode table, nil when the number has none.
    public var name: String? {
        switch self {
        case .connect: "CONNECT"
        case .assert: "ASSERT"
        case .retract: "RETRACT"
        case .query: "QUERY"
        case .subscribe: "SUBSCRIBE"
        case .unsubscribe: "UNSUBSCRIBE"
        case .heartbeat: "HEARTBEAT"
        case .patch: "PATCH"
        case .sourceEpochBegin: "SOURCE_EPOCH_BEGIN"
        case .sourceEpochEnd: "SOURCE_EPOCH_END"
        case .batch: "BATCH"
        case .sync: "SYNC"
        case .subscribeEvents: "SUBSCRIBE_EVENTS"
        case .goodbye, .serverGoodbye: "GOODBYE"
        case .createKind: "CREATE_KIND"
        case .getKind: "GET_KIND"
        case .listKinds: "LIST_KINDS"
        case .dropKind: "DROP_KIND"
        case .admin: "ADMIN"
        case .connected: "CONNECTED"
        case .state: "STATE"
        case .deleted: "DELETED"
        case .bootstrapBegin: "BOOTSTRAP_BEGIN"
        case .bootstrapEnd: "BOOTSTRAP_END"
        case .queryResult: "QUERY_RESULT"
        case .subscribed: "SUBSCRIBED"
        case .unsubscribed: "UNSUBSCRIBED"
        case .epochResult: "EPOCH_RESULT"
        case .kindInfo: "KIND_INFO"
        case .event: "EVENT"
        case .progress: "PROGRESS"
        case .synced: "SYNCED"
        case .heartbeatAck: "HEARTBEAT_ACK"
        case .kindList: "KIND_LIST"
        case .adminReply: "ADMIN_REPLY"
        case .eventsLost: "EVENTS_LOST"
        case .error: "ERROR"
        default: nil
        }
    }
}
