import ConvergeEngine
import ConvergeWire

/// The encoded notifications of the flushes of a turn, from encode to fan-out: what each group of readers is to be sent.
struct FlushedNotifications: ~Copyable {
    struct Run {
        let group: ReaderGroup
        let slices: Range<Int>
        let frames: Int
    }

    struct Sum {
        var frames = 0
        var bytes = 0
    }

    var runs: [Run] = []
    var slices = RetainedSlices()
    /// Of a kind's and class's runs, whatever their partitions.
    private var sums: [UInt32: Sum] = [:]

    mutating func append(_ group: ReaderGroup, _ encoded: Slices) {
        let first = slices.count
        slices.append(encoded)
        runs.append(Run(group: group, slices: first..<slices.count, frames: encoded.frames))
    }

    /// - Returns: what the kind and class come to with it, over the partitions here.
    mutating func count(_ kind: UInt16, _ class: Int, _ encoded: Slices) -> Sum {
        let key = UInt32(kind) << 16 | UInt32(`class`)
        sums[key, default: Sum()].frames += encoded.frames
        sums[key, default: Sum()].bytes += encoded.bytes
        return sums[key, default: Sum()]
    }

    mutating func removeAll() {
        runs.removeAll(keepingCapacity: true)
        sums.removeAll(keepingCapacity: true)
        slices.removeAll()
    }
}

extension Shard {
    /// Closes the windows that are due, those of a turn together: what one partition's flush queues does not count as unsent
    /// when the next one's is queued (R5), and leaves in the same send.
    mutating func flushDueWindows() {
        for partition in partitions.numbers where partitions[partition].window.isDue(at: now) { seal(partition) }
        installSealed()
    }

    /// Closes all of them.
    mutating func flushOpenWindows() {
        for partition in partitions.numbers where partitions[partition].window.isOpen { seal(partition) }
        installSealed()
    }

    /// Closes one partition's open window (F1).
    /// - Returns: false when memory is short: the window stays open and is tried again.
    @discardableResult
    mutating func flush(_ partition: Int) -> Bool {
        guard seal(partition) else { return false }
        installSealed()
        return true
    }

    /// Seals the open window and encodes it once a class.
    /// - Returns: as `flush`.
    @discardableResult
    private mutating func seal(_ partition: Int) -> Bool {
        let batch: Batch
        do { batch = try partitions[partition].engine.seal() } catch {
            guard error == .outOfMemory else {
                preconditionFailure("a window that is open could not be sealed: \(error)")
            }
            counters.flushesPostponed += 1
            partitions[partition].window.postpone(from: now)
            return false
        }
        counters.flush += 1
        encode(batch, of: partition)
        partitions[partition].sealed = consume batch
        return true
    }

    /// What has been sealed becomes the state that queries see, and goes out to the readers; then who waited for it is
    /// answered (F2, W4).
    private mutating func installSealed() {
        var installed = 0
        for partition in partitions.numbers where partitions[partition].installSealed() { installed += 1 }
        guard installed > 0 else { return }
        fanOut()
        for partition in partitions.numbers where partitions[partition].closeInstalled() {
            answerWaiting(for: partition)
        }
        relieve(.segments)
    }

    /// Encodes what changed for each class that is read, and sets aside readers that cannot be sent it from here (R5).
    private mutating func encode(_ batch: borrowing Batch, of partition: Int) {
        for kind in partitions[partition].kindsRead where batch.changes(of: kind) > 0 {
            for `class` in LiveReaders.classes.indices { encode(batch, of: partition, kind, `class`) }
        }
    }

    private mutating func encode(_ batch: borrowing Batch, of partition: Int, _ kind: UInt16, _ class: Int) {
        let groups = (0..<context.shards).filter { !partitions[partition].readers[$0][kind, `class`].isEmpty }
            .map { ReaderGroup(partition: partition, kind: kind, class: `class`, shard: $0) }
        guard !groups.isEmpty else { return }
        do {
            let encoded = try partitions[partition].engine.encode(batch, kind: kind, LiveReaders.classes[`class`])
            guard encoded.count > 0 else { return }
            let sum = notifications.count(kind, `class`, encoded)
            for group in groups {
                setAside(group, frames: sum.frames, bytes: sum.bytes)
                if group.shard == number { notifications.append(group, encoded) } else { send(encoded, to: group) }
            }
        } catch {
            // Not encoded for lack of memory: everyone gets it by catch-up.
            for group in groups { setAside(group, frames: .max, bytes: .max) }
        }
    }
}
