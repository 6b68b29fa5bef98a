import ConvergeEngine
import ConvergeTransport
import ConvergeWire
import Glibc

/// Writes of this shard's connections to partitions of another, and those of others to partitions here.
extension Shard {
    /// Copies the writes into the lane to their shard; their order stays. A lane that is full is waited for: until then
    /// nothing more is read here.
    mutating func forward(_ run: OperationRun, to shard: Int) {
        for index in 0..<run.count {
            let operation = run[index]
            let slot = Int(operation.connection)
            let connection = sessions[slot].connection
            sessions[slot].forwardedTo |= 1 << UInt64(shard)
            let dataBytes = operation.data == nil || !operation.hasData ? 0 : Int(operation.dataBytes)
            guard dataBytes <= ServerLimits.forwardedBytesMax else {
                forwardAlone(operation, connection, dataBytes, to: shard)
                continue
            }
            while !mail.forward(operation, connection, dataBytes: dataBytes, to: shard) { waitForRoom(in: shard) }
        }
    }

    private mutating func forwardAlone(
        _ operation: Operation, _ connection: Connection, _ dataBytes: Int, to shard: Int
    ) {
        let bytes = ForwardedBytes(ForwardedWrite.headBytes + dataBytes)
        let placed = ForwardedWrite.place(
            operation, connection: connection.rawValue, dataBytes: dataBytes, in: bytes.base)
        let here = number
        mail.forwarded += 1
        ask(shard) { there in
            withExtendedLifetime(bytes) {
                withUnsafePointer(to: placed) { pointer in
                    there.applyForwarded(
                        OperationRun(entries: UnsafeMutableRawPointer(mutating: pointer), count: 1), from: here)
                }
            }
        }
    }

    /// Applies another shard's writes to the partitions here.
    mutating func applyForwarded(_ run: OperationRun, from shard: Int) {
        if partitions.numbers.count == 1 {
            apply(run, to: partitions.numbers[0], from: shard)
            return
        }
        inbound.sort(run)
        for partition in partitions.numbers {
            let part = inbound.run(of: partition)
            if part.count > 0 { apply(part, to: partition, from: shard) }
        }
    }

    /// A write of a connection here was refused elsewhere.
    mutating func noteRefusal(_ connection: Connection, _ write: RefusedWrite) {
        guard sessions.isAlive(connection) else { return }
        let slot = connection.slot
        sessions[slot].refused += 1
        for index in sessions[slot].syncs.indices where write.ordinal <= sessions[slot].syncs[index].writes {
            sessions[slot].syncs[index].synced.refused += 1
            sessions[slot].syncs[index].synced.applied -= 1
        }
        report(slot, write)
    }

    func pause(microseconds: UInt32) { usleep(microseconds) }
}

/// Memory of its own for a write that is too long for a lane.
private final class ForwardedBytes: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    init(_ count: Int) { base = .allocate(byteCount: count, alignment: 8) }
    deinit { base.deallocate() }
}
