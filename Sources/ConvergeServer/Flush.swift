import ConvergeEngine
import ConvergeWire

/// The encoded notifications of one flush, from encode to fan-out: what each kind and class is to be sent.
struct FlushedNotifications: ~Copyable {
    struct Run {
        let kind: UInt16
        let `class`: Int
        let slices: Range<Int>
        let frames: Int
        let bytes: Int
    }

    var runs: [Run] = []
    var slices = RetainedSlices()

    mutating func append(kind: UInt16, class: Int, _ encoded: Slices) -> Run {
        var frames = 0
        var bytes = 0
        for index in 0..<encoded.count {
            frames += encoded[index].frames
            bytes += encoded[index].bytes
        }
        let first = slices.count
        slices.append(encoded)
        let run = Run(kind: kind, class: `class`, slices: first..<slices.count, frames: frames, bytes: bytes)
        runs.append(run)
        return run
    }

    mutating func removeAll() {
        runs.removeAll(keepingCapacity: true)
        slices.removeAll()
    }
}

extension Server {
    /// Closes the open window: seal, encode once a class, install, fan-out; then answers who waited for it (F1, F2, W4).
    /// - Returns: false when memory is short: the window stays open and is tried again.
    @discardableResult
    mutating func flush() -> Bool {
        let batch: Batch
        do { batch = try engine.seal() } catch {
            guard error == .outOfMemory else {
                preconditionFailure("a window that is open could not be sealed: \(error)")
            }
            counters.flushesPostponed += 1
            window.postpone(from: now)
            return false
        }
        counters.flush += 1
        counters.sequence = batch.sequence
        encode(batch)
        engine.install(batch)
        fanOut()
        window.close()
        answerWaiting()
        relieve(.segments)
        return true
    }

    /// Encodes what changed for each class that is read, and sets aside readers that cannot be sent it from here (R5).
    private mutating func encode(_ batch: borrowing Batch) {
        for kind in readers.kindsRead where batch.changes(of: kind) > 0 {
            for `class` in LiveReaders.classes.indices where !readers[kind, `class`].isEmpty {
                do {
                    let encoded = try engine.encode(batch, kind: kind, LiveReaders.classes[`class`])
                    guard encoded.count > 0 else { continue }
                    let run = notifications.append(kind: kind, class: `class`, encoded)
                    setAside(kind: kind, class: `class`, frames: run.frames, bytes: run.bytes)
                } catch {
                    // Not encoded for lack of memory: everyone gets it by catch-up.
                    setAside(kind: kind, class: `class`, frames: .max, bytes: .max)
                }
            }
        }
    }
}
