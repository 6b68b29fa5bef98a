import ConvergeTransport
import ConvergeWire
import Glibc

/// A CONNECT that asks for a source, on its way to shard 0.
private struct Claim {
    let shard: Int
    let connection: Connection
    let stream: UInt16
    let message: Connect
}

extension Shard {
    /// CONNECT (L1): negotiates the version and claims a source id. A refusal leaves the connection where it was, so that
    /// the client may ask for another id.
    mutating func connect(_ slot: Int, _ stream: UInt16, _ message: Connect) throws(WireError) {
        guard sessions[slot].state == .greeting else {
            throw WireError(.alreadyConnected, "this connection has already been answered a CONNECT: open another one")
        }
        try validate(message)
        guard !message.flags.contains(.readOnly) else {
            return open(slot, stream, message, source: ServerLimits.readOnlySource)
        }
        applyWrites()
        let claim = Claim(
            shard: number, connection: sessions[slot].connection, stream: stream, message: message)
        guard context.shards > 1 else {
            return open(slot, stream, message, source: try self.claim(claim, busy: partitions.busySources))
        }
        sessions[slot].awaitsShards = true
        gather(
            { shard in shard.partitions.busySources },
            { shard, busy in
                let all = busy.reduce(0, |)
                // Who has left before has given back its source: that is on its way to shard 0, perhaps from another shard.
                shard.ask(0) { first in first.afterMail { first in first.decide(claim, busy: all) } }
            })
    }

    /// On shard 0: gives the source to the claimant, or refuses it.
    private mutating func decide(_ claim: Claim, busy: UInt64) {
        let result: Result<UInt8, WireError>
        do throws(WireError) { result = .success(try self.claim(claim, busy: busy)) } catch { result = .failure(error) }
        tell(claim.shard) { home in home.noteClaim(claim, result) }
    }

    private mutating func noteClaim(_ claim: Claim, _ result: Result<UInt8, WireError>) {
        guard sessions.isAlive(claim.connection) else {
            if case .success(let source) = result { release(source, by: claim.connection) }
            return
        }
        let slot = claim.connection.slot
        goOn(slot)
        switch result {
        case .success(let source): open(slot, claim.stream, claim.message, source: source)
        case .failure(let error):
            refuse(slot, error.code, stream: claim.stream, opcode: .connect, error.description)
        }
    }

    /// Gives a source back, behind everything that its connection has written.
    mutating func release(_ source: UInt8, by connection: Connection) {
        guard source < 64 else { return }
        let here = number
        ask(0) { first in first.sources.release(source, by: connection, on: here) }
    }

    private mutating func open(_ slot: Int, _ stream: UInt16, _ message: Connect, source: UInt8) {
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

    /// - Parameter busy: bits of the sources that something in any partition is of.
    private mutating func claim(_ claim: Claim, busy: UInt64) throws(WireError) -> UInt8 {
        let message = claim.message
        let source =
            message.flags.contains(.hasSource) ? try take(message) : try lowestFreeSource(busy: busy)
        sources.claim(
            source,
            SourceTable.Holder(
                shard: claim.shard, connection: claim.connection, session: message.session,
                shared: message.flags.contains(.shared)))
        return source
    }

    private mutating func take(_ message: Connect) throws(WireError) -> UInt8 {
        guard message.source < 64 else {
            throw WireError(.invalidSource, "source \(message.source) does not exist: ask for 0 to 63")
        }
        let judgement = sources.judge(
            message.source, session: message.session, shared: message.flags.contains(.shared),
            takeover: message.flags.contains(.takeover))
        guard case .granted(let replaced) = judgement else {
            throw WireError(
                .sourceClaimed,
                "source \(message.source) is held by another connection: ask for another id, connect with the same session id "
                    + "or with takeover, or let every connection of the source say 'shared'")
        }
        for holder in replaced {
            sources.release(message.source, by: holder.connection, on: holder.shard)
            tell(holder.shard) { home in home.replace(holder.connection, source: message.source) }
        }
        return message.source
    }

    /// Another connection has the source from now on.
    private mutating func replace(_ connection: Connection, source: UInt8) {
        guard sessions.isAlive(connection) else { return }
        dismiss(
            connection.slot, .replaced,
            "another connection has taken over source \(source) with the same session id or with takeover")
    }

    /// No connection, nothing asserted, nothing in an open window.
    private func lowestFreeSource(busy: UInt64) throws(WireError) -> UInt8 {
        for source: UInt8 in 0..<64 where busy >> UInt64(source) & 1 == 0 && sources.holders(of: source).isEmpty {
            return source
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
