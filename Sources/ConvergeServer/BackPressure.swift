import ConvergeTransport
import ConvergeWire

/// A connection that asks faster than it takes the answers, or for more than its share of a turn, is not read from until
/// it can go on. What has been received of it by then is held as whole frames, in order and unjudged.
///
///     receive ─▶ decode ──too much──▶ hold (reading stops) ─▶ next turns: resume ─▶ decode ─▶ ... ─▶ reading goes on
///
/// Invariants
///   1. `sessions[slot].isHeld` exactly when the connection stands in `held.connections`, and then it is not read from.
///   2. `held.bytes` is the sum of `sessions[...].held.count`, and never above the configured bound.
struct HeldConnections {
    /// In the order in which they are served.
    var connections: [Connection] = []
    private(set) var bytes = 0
    private(set) var bytesPeak = 0

    mutating func count(_ bytes: Int) {
        self.bytes += bytes
        bytesPeak = max(bytesPeak, self.bytes)
    }
}

extension Server {
    /// Whether the next request would let a queue grow past its bound, or take more of the turn than its share.
    func mustHold(_ slot: Int) -> Bool {
        sessions[slot].cost.isUsedUp(in: turn) || waitsForTooMuch(slot)
            || transport.unsent(sessions[slot].connection).bytes > ServerLimits.repliesMax
    }

    private func waitsForTooMuch(_ slot: Int) -> Bool {
        sessions[slot].waiting >= ServerLimits.waitingMax || sessions[slot].waitingBytes > ServerLimits.repliesMax
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
            held.connections.append(sessions[slot].connection)
            transport.setReading(sessions[slot].connection, false)
        }
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
        held.count(-frames.count)
        return frames
    }

    /// Whether someone who was held back could go on.
    var canResumeHeld: Bool { held.connections.contains { sessions.isAlive($0) && canResume($0.slot) } }

    /// Goes on with those who can, each once; when the turn's cost is used up, the rest are the first of the next.
    mutating func resumeHeld() {
        guard !held.connections.isEmpty else { return }
        let connections = held.connections
        held.connections = []
        var unserved: [Connection] = []
        var left = ServerLimits.turnCostResumed
        for connection in connections where sessions.isAlive(connection) {
            let slot = connection.slot
            guard left > 0, canResume(slot), !sessions[slot].cost.isUsedUp(in: turn) else {
                unserved.append(connection)
                continue
            }
            resume(slot)
            left -= sessions[slot].cost.spent(in: turn)
        }
        held.connections.insert(contentsOf: unserved, at: 0)
    }

    private mutating func resume(_ slot: Int) {
        let frames = takeHeld(slot)
        sessions[slot].isHeld = false
        frames.withUnsafeBytes { frames in
            _ = decode(slot, frames)
            applyWrites()
        }
        if sessions[slot].takesFrames, !sessions[slot].isHeld { transport.setReading(sessions[slot].connection, true) }
    }

    /// The queue has drained to where the transport says so: nothing is missed by waiting for that event.
    private func canResume(_ slot: Int) -> Bool {
        !waitsForTooMuch(slot)
            && transport.unsent(sessions[slot].connection).bytes <= ServerLimits.queueLow
    }
}
