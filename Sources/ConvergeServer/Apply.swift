import ConvergeEngine
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

extension Shard {
    /// Applies what has been decoded (W1...W6), each partition's part; those of other shards are forwarded.
    mutating func applyWrites() {
        guard operations.count > 0 else { return }
        if partitions.count == 1 {
            apply(operations.run, to: 0, from: number)
        } else {
            router.sort(operations.run)
            for partition in 0..<partitions.count {
                let run = router.run(of: partition)
                guard run.count > 0 else { continue }
                let owner = partitions.owner(of: partition)
                if owner == number { apply(run, to: partition, from: number) } else { forward(run, to: owner) }
            }
        }
        operations.removeAll()
    }

    /// A window that is full is flushed in between (F1).
    /// - Parameter shard: where their connections are.
    mutating func apply(_ run: OperationRun, to partition: Int, from shard: Int) {
        var start = 0
        while start < run.count {
            let applied = partitions[partition].engine.apply(run, from: start)
            for index in 0..<applied.refused {
                let refusal = partitions[partition].engine.refusal(index)
                refuse(run[start + refusal.index], refusal.status, field: refusal.field, from: shard)
            }
            start += applied.consumed
            guard applied.windowFull else { continue }
            if flush(partition) {
                // The next flush may follow in the same turn: what this one queued has its chance to leave before (R5).
                sendNow()
            } else {
                refuse(run[start], .outOfMemory, field: nil, from: shard)
                start += 1
            }
        }
        partitions[partition].pendingSources |= run.sources
        guard !partitions[partition].window.isOpen, partitions[partition].engine.windowOpen else { return }
        partitions[partition].window.open(at: now, turn: turn)
    }

    private mutating func refuse(_ operation: Operation, _ status: EngineStatus, field: Int?, from shard: Int) {
        let write = RefusedWrite(
            opcode: Opcode(rawValue: UInt16(operation.code)), ordinal: operation.ordinal, kind: operation.kind,
            id: operation.entityID, reason: reason(operation, status, field: field, from: shard))
        if shard == number {
            let slot = Int(operation.connection)
            sessions[slot].refused += 1
            report(slot, write)
        } else {
            let connection = Connection(rawValue: ForwardedWrite.connection(of: operation))
            tell(shard) { home in home.noteRefusal(connection, write) }
        }
    }

    /// The core names a field. Where that has parts, and someone is told, its data says which of them is at fault.
    private func reason(
        _ operation: Operation, _ status: EngineStatus, field: Int?, from shard: Int
    ) -> RefusedWrite.Reason {
        let plain = RefusedWrite.Reason.status(status, field: field, operation.facts)
        guard status.isOfValue, let field, let data = operation.data,
            shard != number || sessions[Int(operation.connection)].reports.wouldAdmit(at: now),
            let layout = registry[operation.kind]?.layout,
            field < layout.fields.count, layout.fields[field].type == .array || layout.fields[field].type == .structure
        else { return plain }
        let mask = operation.code == WriteCode.patch.rawValue ? operation.mask : layout.allFields
        let bytes = UnsafeRawBufferPointer(start: data, count: Int(operation.dataBytes)).bytes
        return layout.fault(in: bytes, mask: mask).map { .value(status, $0) } ?? plain
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
