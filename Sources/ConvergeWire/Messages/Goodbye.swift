/// The client leaves; the server closes the connection.
public struct Goodbye: Message, Hashable {
    public static var opcode: Opcode { .goodbye }

    /// 0: what the source asserts stays; 1: it is retracted now.
    public var mode: UInt8

    public init(mode: UInt8 = 0) {
        self.mode = mode
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        mode = try reader.number("mode")
        guard mode <= 1 else {
            throw WireError(.malformedMessage, "GOODBYE has mode \(mode): send 0 (keep) or 1 (retract now)")
        }
    }

    public var payloadBytes: Int { 1 }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(mode)
    }
}

/// Why a server ends a connection.
public enum GoodbyeReason: UInt16, Sendable, CaseIterable {
    /// The server stops: connect again later.
    case shutdown = 1
    /// The subscriber did not read fast enough (R5): resume with the last token, or subscribe with `conflate`.
    case slowReader = 2
    /// Another connection took the source over (L1).
    case replaced = 3
    /// After a fatal ERROR, which says what was wrong.
    case protocolError = 4
    /// Nothing was received for too long (L2).
    case idle = 5
    /// A bound of the server is reached, and of all connections this one took most of what it bounds.
    case limitReached = 6
}

/// The last message of a server on a connection.
public struct ServerGoodbye: Message, Hashable {
    public static var opcode: Opcode { .serverGoodbye }

    /// A `GoodbyeReason`; a client takes numbers it does not know as an end without a reason.
    public var reason: UInt16
    /// A sentence; cut to `WireLimits.sentenceBytes` when encoded.
    public var message: String

    public init(reason: GoodbyeReason, message: String) {
        self.reason = reason.rawValue
        self.message = message
    }

    public init(reading reader: inout PayloadReader) throws(WireError) {
        reason = try reader.number("reason")
        message = try reader.str16("message")
    }

    public var payloadBytes: Int { 4 + sentenceLength(message) }

    public func encode(into writer: inout PayloadWriter) {
        writer.number(reason)
        writer.token16(message.utf8.prefix(sentenceLength(message)))
    }
}
