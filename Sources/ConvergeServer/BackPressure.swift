import ConvergeTransport
import ConvergeWire

/// A connection that asks faster than it takes the answers, or for more than its share of a turn or of the replies' memory,
/// is not read from until it can go on. What has been received of it by then is held as whole frames, in order and unjudged.
///
///     receive ─▶ decode ──too much──▶ hold (reading stops) ─▶ next turns: resume ─▶ decode ─▶ ... ─▶ reading goes on
///
///     held, one of:  ready     it can go on when it is its turn
///                    parked    for DRAINED, or for the flush that answers what it has asked: told by either
///                    watched   the pool of replies is short, and nobody tells when it is not: looked at every few milliseconds
///
/// Invariants
///   1. `sessions[slot].held` has frames only while `sessions[slot].isHeld`, and then the connection is not read from.
///   2. A held connection stands in `ready` or `watched`, once (`isListed`), or an event or a flush will put it there.
///   3. `held.bytes` is the sum of `sessions[...].held.count`, and never above the configured bound.
struct HeldConnections {
    /// In the order in which they are served.
    var ready = ConnectionQueue()
    var watched = ConnectionQueue()
    /// All of them, wherever they stand.
    var count = 0
    private(set) var bytes = 0
    private(set) var bytesPeak = 0

    mutating func count(_ bytes: Int) {
        self.bytes += bytes
        bytesPeak = max(bytesPeak, self.bytes)
    }
}

extension Shard {
    /// Whether the next request would let a queue grow past its bound, or take more of the turn than its share.
    func mustHold(_ slot: Int, _ header: FrameHeader, _ payload: RawSpan) -> Bool {
        sessions[slot].awaitsShards || isUsedUp(slot) || isTooMuchForTurn(slot, header, payload)
            || waitsForTooMuch(slot)
            || hasUntakenReplies(slot, above: ServerLimits.repliesMax)
    }

    /// Until a flush.
    private func waitsForTooMuch(_ slot: Int) -> Bool {
        waiting >= ServerLimits.waitingMaxOfAll || sessions[slot].waiting >= ServerLimits.waitingMax
            || sessions[slot].waitingBytes > ServerLimits.repliesMax
    }

    /// Whether it has more in its queue than this, or more than its share of the replies' memory. The share is a part of
    /// what is free, so that many get less before anyone has to go.
    func hasUntakenReplies(_ slot: Int, above bytes: Int) -> Bool {
        let unsent = transport.unsent(sessions[slot].connection)
        let used = bytesUsed(.replies)
        let share = (bytesMax(.replies) - used) / ServerLimits.repliesShares
        return unsent.bytes > bytes || unsent.memory + sessions[slot].promisedBytes > share
            || used > bytesComfortable(.replies)
    }

    /// Keeps the whole frames of `bytes` from `start` on, and stops reading from the connection. Behind a header that is
    /// wrong nothing is a frame: what stands there is kept with it, for when its turn comes.
    mutating func hold(_ slot: Int, _ bytes: UnsafeRawBufferPointer, from start: Int) -> (used: Int, need: Int) {
        var end = start
        var unfinished = 0
        scan: while end < bytes.count {
            switch cutFrame(bytes.bytes, at: end, payloadMax: sessions[slot].payloadMax) {
            case .frame(let header): end += FrameHeader.bytes + header.payloadBytes
            case .incomplete(let need):
                unfinished = need
                break scan
            case .refused:
                end = bytes.count
                break scan
            }
        }
        let kept = end - start
        guard sessions[slot].held.count + kept <= ServerLimits.heldBytesOfConnection,
            held.bytes + kept <= configuration.heldBytesMax
        else {
            dismissForHolding(slot, kept)
            return (bytes.count, 0)
        }
        if !sessions[slot].isHeld {
            sessions[slot].isHeld = true
            held.count += 1
            transport.setReading(sessions[slot].connection, false)
            park(slot)
        }
        // Exactly: what is counted is what is taken.
        sessions[slot].held.reserveCapacity(sessions[slot].held.count + kept)
        sessions[slot].held.append(contentsOf: bytes[start..<end])
        held.count(kept)
        return (end, unfinished)
    }

    private mutating func dismissForHolding(_ slot: Int, _ bytes: Int) {
        counters.heldTooMuch += 1
        let ofConnection = sessions[slot].held.count + bytes
        transport.discardUnsent(sessions[slot].connection)
        dismiss(
            slot, .slowReader,
            "this connection asks faster than it takes the answers, and \(ofConnection) bytes of requests would have to be "
                + "held for it (at most \(ServerLimits.heldBytesOfConnection); for all connections \(held.bytes) of "
                + "\(configuration.heldBytesMax) are): take the answers before you ask for more")
    }

    /// What was held of a connection is taken over, or given up.
    mutating func takeHeld(_ slot: Int) -> [UInt8] {
        let frames = sessions[slot].held
        sessions[slot].held = []
        if sessions[slot].isHeld { held.count -= 1 }
        sessions[slot].isHeld = false
        held.count(-frames.count)
        return frames
    }

    /// Puts a held connection that stands in no list where it will be found when it can go on.
    private mutating func park(_ slot: Int) {
        let connection = sessions[slot].connection
        if sessions[slot].awaitsShards { return }
        if canResume(slot) {
            held.ready.append(connection)
        } else if sessions[slot].waiting == 0, transport.unsent(connection).bytes <= ServerLimits.queueLow {
            held.watched.append(connection)
        } else {
            return
        }
        sessions[slot].isListed = true
    }

    /// Something that a parked connection may have waited for has come.
    mutating func unpark(_ connection: Connection) {
        let slot = connection.slot
        guard sessions.isAlive(connection), sessions[slot].isHeld, !sessions[slot].isListed,
            !sessions[slot].awaitsShards
        else { return }
        held.ready.append(connection)
        sessions[slot].isListed = true
    }

    /// What needed other shards is answered: the connection's next request may be handled.
    mutating func goOn(_ slot: Int) {
        guard sessions[slot].awaitsShards else { return }
        sessions[slot].awaitsShards = false
        unpark(sessions[slot].connection)
    }

    /// Goes on with those who can, each once; when the turn's cost is used up, the rest are the first of the next.
    mutating func resumeHeld() {
        lookAtWatched()
        // They have a share of their own, whatever those who have been received from took.
        endTurnCost()
        for _ in 0..<held.ready.count where turnCost.spent(in: turn) < ServerLimits.turnCostOfAll {
            guard let connection = held.ready.popFirst(), sessions.isAlive(connection) else { continue }
            let slot = connection.slot
            guard !isUsedUp(slot) else {
                held.ready.append(connection)
                continue
            }
            sessions[slot].isListed = false
            if canResume(slot) { resume(slot) } else { park(slot) }
        }
    }

    private mutating func lookAtWatched() {
        for _ in 0..<min(held.watched.count, ServerLimits.looksPerTurn) {
            guard let connection = held.watched.popFirst(), sessions.isAlive(connection) else { continue }
            sessions[connection.slot].isListed = false
            park(connection.slot)
        }
    }

    private mutating func resume(_ slot: Int) {
        let frames = takeHeld(slot)
        frames.withUnsafeBytes { frames in
            _ = decode(slot, frames)
            applyWrites()
        }
        guard sessions[slot].takesFrames, !sessions[slot].isHeld else { return }
        if sessions[slot].hasEnded {
            closeWhenAnswered(slot)
        } else {
            transport.setReading(sessions[slot].connection, true)
        }
    }

    private func canResume(_ slot: Int) -> Bool {
        !sessions[slot].awaitsShards && !waitsForTooMuch(slot) && !hasUntakenReplies(slot, above: ServerLimits.queueLow)
    }
}
