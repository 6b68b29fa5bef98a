import ConvergeTransport
import ConvergeWire

/// A connection that asks faster than it takes the answers is not read from until it has taken them. What has been
/// received of it by then is held as whole frames: less than the receive buffers of one turn.
extension Server {
    /// Whether the next request would let a queue grow past its bound.
    func mustHold(_ slot: Int) -> Bool {
        sessions[slot].waiting >= ServerLimits.waitingMax
            || transport.unsent(sessions[slot].connection).bytes > ServerLimits.repliesMax
    }

    /// Keeps the whole frames of `bytes` from `start` on, and stops reading from the connection.
    mutating func hold(_ slot: Int, _ bytes: UnsafeRawBufferPointer, from start: Int) -> (used: Int, need: Int) {
        let span = bytes.bytes
        var end = start
        var unfinished = 0
        while end < bytes.count, unfinished == 0 {
            switch cutFrame(span, at: end, payloadMax: sessions[slot].payloadMax) {
            case .frame(let header): end += FrameHeader.bytes + header.payloadBytes
            case .incomplete(let need): unfinished = need
            case .refused(let error):
                refuse(slot, error.code, stream: 0, opcode: Opcode(rawValue: 0), fatal: true, error.description)
                return (bytes.count, 0)
            }
        }
        if sessions[slot].held.isEmpty {
            heldSlots.append(slot)
            transport.setReading(sessions[slot].connection, false)
        }
        sessions[slot].held.append(contentsOf: bytes[start..<end])
        return (end, unfinished)
    }

    /// Whether someone who was held back could go on.
    var canResumeHeld: Bool {
        for slot in heldSlots where canResume(slot) { return true }
        return false
    }

    /// Goes on with the frames of those who have taken their answers.
    mutating func resumeHeld() {
        guard !heldSlots.isEmpty else { return }
        let slots = heldSlots
        heldSlots.removeAll(keepingCapacity: true)
        for slot in slots where !sessions[slot].held.isEmpty {
            guard canResume(slot) else {
                heldSlots.append(slot)
                continue
            }
            let frames = sessions[slot].held
            sessions[slot].held = []
            frames.withUnsafeBytes { frames in
                _ = decode(slot, frames)
                applyWrites()
            }
            if sessions[slot].isReading, sessions[slot].held.isEmpty {
                transport.setReading(sessions[slot].connection, true)
            }
        }
    }

    /// The queue has drained to where the transport says so: nothing is missed by waiting for that event.
    private func canResume(_ slot: Int) -> Bool {
        !sessions[slot].held.isEmpty && sessions[slot].waiting < ServerLimits.waitingMax
            && transport.unsent(sessions[slot].connection).bytes <= ServerLimits.queueLow
    }
}
