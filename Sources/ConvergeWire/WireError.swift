/// Why a message or a write was refused: the `code` of ERROR. docs/PROTOCOL.md says what each asks of the client.
public enum WireErrorCode: UInt16, Sendable, CaseIterable {
    case malformedFrame = 1
    case frameTooLarge = 2
    case notConnected = 3
    case unsupportedVersion = 4
    case unknownOpcode = 5
    case malformedMessage = 6
    case unsupported = 7
    case unknownKind = 8
    case schemaConflict = 9
    case invalidDefinition = 10
    case reservedName = 11
    case wrongLength = 12
    case invalidBool = 13
    case valueTooLong = 14
    case invalidUTF8 = 15
    case nonzeroPadding = 16
    case unknownField = 17
    case notOwner = 18
    case unknownSchemaVersion = 19
    case readOnly = 20
    case sourceClaimed = 21
    case noSourceFree = 22
    case invalidSource = 23
    case alreadySubscribed = 24
    case notSubscribed = 25
    case outOfMemory = 26
    case diskFull = 27
    case limitReached = 28
    case notAllowed = 29
    case alreadyConnected = 30
    case timedOut = 31
    case shuttingDown = 32
}

extension WireErrorCode: CustomStringConvertible {
    /// The name in documents and `--json` output, e.g. `malformed_frame`.
    public var description: String {
        switch self {
        case .malformedFrame: "malformed_frame"
        case .frameTooLarge: "frame_too_large"
        case .notConnected: "not_connected"
        case .unsupportedVersion: "unsupported_version"
        case .unknownOpcode: "unknown_opcode"
        case .malformedMessage: "malformed_message"
        case .unsupported: "unsupported"
        case .unknownKind: "unknown_kind"
        case .schemaConflict: "schema_conflict"
        case .invalidDefinition: "invalid_definition"
        case .reservedName: "reserved_name"
        case .wrongLength: "wrong_length"
        case .invalidBool: "invalid_bool"
        case .valueTooLong: "value_too_long"
        case .invalidUTF8: "invalid_utf8"
        case .nonzeroPadding: "nonzero_padding"
        case .unknownField: "unknown_field"
        case .notOwner: "not_owner"
        case .unknownSchemaVersion: "unknown_schema_version"
        case .readOnly: "read_only"
        case .sourceClaimed: "source_claimed"
        case .noSourceFree: "no_source_free"
        case .invalidSource: "invalid_source"
        case .alreadySubscribed: "already_subscribed"
        case .notSubscribed: "not_subscribed"
        case .outOfMemory: "out_of_memory"
        case .diskFull: "disk_full"
        case .limitReached: "limit_reached"
        case .notAllowed: "not_allowed"
        case .alreadyConnected: "already_connected"
        case .timedOut: "timed_out"
        case .shuttingDown: "shutting_down"
        }
    }
}

/// A frame or message that could not be decoded.
public struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: WireErrorCode
    /// A sentence that says what is wrong and what to change.
    public var description: String

    public init(_ code: WireErrorCode, _ description: String) {
        self.code = code
        self.description = description
    }
}
