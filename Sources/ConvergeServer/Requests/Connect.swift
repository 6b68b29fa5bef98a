import ConvergeTransport
import ConvergeWire
import Glibc

extension Server {
    /// CONNECT (L1): negotiates the version and claims a source id. A refusal leaves the connection where it was, so that
    /// the client may ask for another id.
    mutating func connect(_ slot: Int, _ stream: UInt16, _ message: Connect) throws(WireError) {
        guard sessions[slot].state == .greeting else {
            throw WireError(.alreadyConnected, "this connection has already been answered a CONNECT: open another one")
        }
        try validate(message)
        let connection = sessions[slot].connection
        var source = ServerLimits.readOnlySource
        if !message.flags.contains(.readOnly) {
            applyWrites()
            source = try message.flags.contains(.hasSource) ? claim(message) : lowestFreeSource()
            sources.claim(
                source,
                SourceTable.Holder(
                    connection: connection, session: message.session, shared: message.flags.contains(.shared)))
        }
        sessions[slot].source = source
        sessions[slot].state = .open
        let deadline = message.livenessMilliseconds == 0 ? 30_000 : message.livenessMilliseconds
        var connected = Connected()
        connected.source = source
        connected.serverTimeMicroseconds = wallClock()
        connected.heartbeatMilliseconds = min(ServerLimits.heartbeatMilliseconds, deadline / 2)
        connected.partitions = UInt16(partitions.count)
        connected.frameMax = UInt32(ServerLimits.frameBytes)
        connected.server = "ConvergeDB \(Server.version)"
        reply(slot, stream: stream, connected)
    }

    private func validate(_ message: Connect) throws(WireError) {
        guard message.versionMin <= 1, message.versionMax >= 1 else {
            throw WireError(
                .unsupportedVersion,
                "the client speaks protocol versions \(message.versionMin) to \(message.versionMax), this server speaks 1"
            )
        }
        guard message.flags.contains(.hasSource) || message.flags.isDisjoint(with: [.shared, .takeover]) else {
            throw WireError(
                .malformedMessage,
                "CONNECT says 'shared' or 'takeover' without has_source: name the source that is meant, or clear them")
        }
        for (field, text) in [("name", message.name), ("client", message.client)]
        where text.utf8.count > ServerLimits.nameBytes {
            throw WireError(
                .valueTooLong, "CONNECT's '\(field)' has \(text.utf8.count) bytes; at most 255 are allowed: shorten it")
        }
        guard message.token.count <= ServerLimits.tokenBytes else {
            throw WireError(
                .valueTooLong,
                "CONNECT's 'token' has \(message.token.count) bytes; at most 4,096 are allowed: shorten it")
        }
        switch message.livenessMilliseconds {
        case 0, 1_000...86_400_000, .max: break
        default:
            throw WireError(
                .malformedMessage,
                "CONNECT's 'liveness_ms' is \(message.livenessMilliseconds): send 1,000 to 86,400,000, 0 for the default, "
                    + "or 0xFFFFFFFF for never")
        }
    }

    private mutating func claim(_ message: Connect) throws(WireError) -> UInt8 {
        guard message.source < 64 else {
            throw WireError(.invalidSource, "source \(message.source) does not exist: ask for 0 to 63")
        }
        let claim = sources.judge(
            message.source, session: message.session, shared: message.flags.contains(.shared),
            takeover: message.flags.contains(.takeover))
        guard case .granted(let replaced) = claim else {
            throw WireError(
                .sourceClaimed,
                "source \(message.source) is held by another connection: ask for another id, connect with the same session id "
                    + "or with takeover, or let every connection of the source say 'shared'")
        }
        for connection in replaced {
            dismiss(
                connection.slot, .replaced,
                "another connection has taken over source \(message.source) with the same session id or with takeover")
        }
        return message.source
    }

    /// No connection, nothing asserted, nothing in the open window.
    private func lowestFreeSource() throws(WireError) -> UInt8 {
        for source: UInt8 in 0..<64 {
            let pending = partitions.firstUnflushed(upTo: sources.lastWriteTurn(of: source)) != nil
            if sources.holders(of: source).isEmpty, !pending, partitions.entities(source: source) == 0 { return source }
        }
        throw WireError(
            .noSourceFree,
            "all 64 source ids are held by connections or still assert entities: name one with has_source, connect read-only, "
                + "or retract what an old source asserts")
    }

    private func wallClock() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_nsec) / 1_000
    }
}
