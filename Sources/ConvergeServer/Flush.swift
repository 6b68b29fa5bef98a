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

    /// - Returns: what the group's kind and class come to with it, over all partitions.
    mutating func append(_ group: ReaderGroup, _ encoded: Slices) -> Sum {
        var frames = 0
        var bytes = 0
        for index in 0..<encoded.count {
            frames += encoded[index].frames
            bytes += encoded[index].bytes
        }
        let first = slices.count
        slices.append(encoded)
        runs.append(Run(group: group, slices: first..<slices.count, frames: frames))
        let key = UInt32(group.kind) << 16 | UInt32(group.class)
        sums[key, default: Sum()].frames += frames
        sums[key, default: Sum()].bytes += bytes
        return sums[key, default: Sum()]
    }

    mutating func removeAll() {
        runs.removeAll(keepingCapacity: true)
        sums.removeAll(keepingCapacity: true)
        slices.removeAll()
    }
}

extension Server {
    /// Closes the windows that are due, those of a turn together: what one partition's flush queues does not count as unsent
    /// when the next one's is queued (R5), and leaves in the same send.
    mutating func flushDueWindows() {
        for partition in 0..<partitions.count where partitions[partition].window.isDue(at: now) { seal(partition) }
        installSealed()
    }

    /// Closes all of them.
    mutating func flushOpenWindows() {
        for partition in 0..<partitions.count where partitions[partition].window.isOpen { seal(partition) }
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
        for partition in 0..<partitions.count where partitions[partition].installSealed() { installed += 1 }
        guard installed > 0 else { return }
        fanOut()
        for partition in 0..<partitions.count where partitions[partition].closeInstalled() {
            answerWaiting(for: partition)
        }
        relieve(.segments)
    }

    /// Encodes what changed for each class that is read, and sets aside readers that cannot be sent it from here (R5).
    private mutating func encode(_ batch: borrowing Batch, of partition: Int) {
        for kind in partitions[partition].readers.kindsRead where batch.changes(of: kind) > 0 {
            for `class` in LiveReaders.classes.indices where !partitions[partition].readers[kind, `class`].isEmpty {
                let group = ReaderGroup(partition: partition, kind: kind, class: `class`)
                do {
                    let encoded = try partitions[partition].engine.encode(
                        batch, kind: kind, LiveReaders.classes[`class`])
                    guard encoded.count > 0 else { continue }
                    let sum = notifications.append(group, encoded)
                    setAside(group, frames: sum.frames, bytes: sum.bytes)
                } catch {
                    // Not encoded for lack of memory: everyone gets it by catch-up.
                    setAside(group, frames: .max, bytes: .max)
                }
            }
        }
    }
}
