import ConvergeWire

/// A write that the server refused (W4). Writes are fire-and-forget; this is how the writer learns of it.
public struct Refusal: Sendable {
    /// nil for a code newer than this client.
    public let code: WireErrorCode?
    public let kind: UInt16
    public let id: EntityID
    /// Which write of this connection it was, as the write functions return it.
    public let write: UInt64
    /// How many further refusals this report stands for: the server sends at most 100 a second.
    public let repeated: UInt32
    /// What was wrong and what to change.
    public let message: String

    init(_ error: ErrorMessage) {
        code = WireErrorCode(rawValue: error.code)
        kind = error.kind
        id = error.id
        write = error.write
        repeated = error.repeated
        message = error.message
    }
}
