import ConvergeTransport
import ConvergeWire

extension Shard {
    /// Takes a receive buffer: writes go to the operation buffer, everything else is handled on the spot.
    mutating func receive(_ index: Int, _ event: TransportEvent) {
        guard sessions.isAlive(event.connection), sessions[event.connection.slot].takesFrames else {
            transport.consume(index, used: event.bytes.count, need: 0)
            return
        }
        let slot = event.connection.slot
        let taken =
            sessions[slot].isHeld
            ? hold(slot, event.bytes, from: 0) : decode(slot, event.bytes)
        transport.consume(index, used: taken.used, need: taken.need)
    }

    /// Walks the frames of `bytes`. Operations point into it afterwards: apply them before it ends.
    /// - Returns: bytes done with, and how long the unfinished frame behind them is as far as known.
    mutating func decode(_ slot: Int, _ bytes: UnsafeRawBufferPointer) -> (used: Int, need: Int) {
        guard let base = bytes.baseAddress else { return (0, 0) }
        let span = bytes.bytes
        var offset = 0
        beginOperations(slot, base)
        while offset < bytes.count {
            switch cutFrame(span, at: offset, payloadMax: sessions[slot].payloadMax) {
            case .frame(let header):
                let payload = offset + FrameHeader.bytes..<offset + FrameHeader.bytes + header.payloadBytes
                if header.opcode.isWrite, sessions[slot].state == .open {
                    decodeWrite(slot, header, span, payload)
                } else {
                    sessions[slot].writes = operations.ordinal
                    if mustHold(slot, header, span.extracting(payload)) { return hold(slot, bytes, from: offset) }
                    if sessions[slot].lastWriteTurn == turn { applyWrites() }
                    let answered = header.opcode == .query ? answerQueries(slot, base, span, from: offset) : offset
                    if answered > offset {
                        offset = answered
                        beginOperations(slot, base)
                        continue
                    }
                    handleRequest(slot, header, span.extracting(payload))
                    guard sessions[slot].takesFrames else { return (bytes.count, 0) }
                    beginOperations(slot, base)
                }
                offset = payload.upperBound
            case .incomplete(let need):
                sessions[slot].writes = operations.ordinal
                return (offset, need)
            case .refused(let error):
                sessions[slot].writes = operations.ordinal
                applyWrites()
                refuseFrame(slot, error, span, at: offset)
                return (bytes.count, 0)
            }
        }
        sessions[slot].writes = operations.ordinal
        return (offset, 0)
    }

    private mutating func beginOperations(_ slot: Int, _ base: UnsafeRawPointer) {
        operations.begin(
            buffer: base, connection: UInt32(truncatingIfNeeded: slot), source: sessions[slot].source,
            ordinal: sessions[slot].writes)
    }

    @inline(__always)
    private mutating func decodeWrite(_ slot: Int, _ header: FrameHeader, _ span: RawSpan, _ payload: Range<Int>) {
        sessions[slot].lastWriteTurn = turn
        do throws(WireError) {
            guard header.stream == 0 else { throw WireError.writeWithStream(header) }
            try decodeWrites(opcode: header.opcode, span, payload: payload, into: &operations)
        } catch {
            refuseMalformedWrite(slot, header.opcode, error)
        }
        if operations.count >= ServerLimits.operationsPerApply { applyWrites() }
    }

    private mutating func refuseMalformedWrite(_ slot: Int, _ opcode: Opcode, _ error: WireError) {
        applyWrites()
        let ordinal = operations.skip()
        sessions[slot].refused += 1
        counters.malformed += 1
        report(slot, RefusedWrite(opcode: opcode, ordinal: ordinal, reason: .malformed(error)))
    }
}

extension WireError {
    fileprivate static func writeWithStream(_ header: FrameHeader) -> WireError {
        WireError(
            .malformedMessage,
            "\(header.opcode) has stream id \(header.stream): writes have no reply, send them with stream id 0")
    }
}

extension Opcode {
    var isWrite: Bool {
        self == .assert || self == .patch || self == .retract || self == .batch
    }
}
