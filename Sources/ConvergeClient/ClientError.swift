import ConvergeSchema
import ConvergeWire

/// Every error of the client: what kind of failure it is, and a sentence that says what to change.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// No connection was made: nobody listens there, or what listens is no ConvergeDB server.
        case cannotConnect
        /// The server refused the request, with this code; nil for a code newer than this client.
        case refused(WireErrorCode?)
        /// No answer within the time-out.
        case timedOut
        /// The connection has ended: by `close`, by the server (GOODBYE), or by the network.
        case closed
        /// The server sent what the protocol does not allow; the connection has been closed.
        case protocolViolation
        /// The task that waited was cancelled.
        case cancelled
        /// The caller's value, name or argument is wrong; nothing was sent.
        case invalid
    }

    public let kind: Kind
    public let description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// The server's code, if it refused.
    public var code: WireErrorCode? {
        if case .refused(let code) = kind { code } else { nil }
    }

    init(_ error: SchemaError) {
        self.init(.invalid, error.description)
    }

    init(refusal message: ErrorMessage) {
        self.init(.refused(WireErrorCode(rawValue: message.code)), message.message)
    }

    static func violation(_ what: String) -> ClientError {
        ClientError(
            .protocolViolation, "the server broke the protocol: \(what); is it a ConvergeDB server of this version?")
    }

    static let cancelled = ClientError(.cancelled, "the wait was cancelled")
}
