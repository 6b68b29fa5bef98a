import ConvergeEngine
import ConvergeWire

extension Server {
    /// Applies what has been decoded (W1...W6); a window that is full is flushed in between (F1).
    mutating func applyWrites() {
        var start = 0
        while start < operations.count {
            let applied = engine.apply(operations, from: start)
            for index in 0..<applied.refused { refuse(engine.refusal(index), start: start) }
            start += applied.consumed
            guard applied.windowFull else { continue }
            if flush() {
                // The next flush may follow in the same turn: what this one queued has its chance to leave before (R5).
                transport.flush()
            } else {
                refuse(operations[start], .outOfMemory, field: nil)
                start += 1
            }
        }
        guard operations.count > 0 else { return }
        operations.removeAll()
        if !window.isOpen, engine.windowOpen { window.open(at: now, turn: turn) }
    }

    private mutating func refuse(_ refusal: Engine.Refusal, start: Int) {
        refuse(operations[start + refusal.index], refusal.status, field: refusal.field)
    }

    private mutating func refuse(_ operation: Operation, _ status: EngineStatus, field: Int?) {
        let slot = Int(operation.connection)
        sessions[slot].refused += 1
        report(
            slot,
            RefusedWrite(
                opcode: Opcode(rawValue: UInt16(operation.code)), ordinal: operation.ordinal, kind: operation.kind,
                id: operation.entityID, reason: .status(status, field: field, operation.facts)))
    }
}

extension Operation {
    fileprivate var entityID: EntityID {
        let id = UnsafeRawBufferPointer(start: id, count: EntityID.bytes)
        return EntityID(loading: id.bytes, at: 0)
    }

    fileprivate var facts: RefusedWrite.Facts {
        RefusedWrite.Facts(source: source, schema: schema, mask: mask, dataBytes: Int(dataBytes))
    }
}
