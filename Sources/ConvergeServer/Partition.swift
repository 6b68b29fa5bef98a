import ConvergeEngine
import ConvergeSchema
import ConvergeWire

/// A hash slice of all entities: an engine, the window that is open in it, who reads what its flushes change, and who
/// waits for them. Windows of different partitions open, close and flush each for itself.
struct Partition: ~Copyable {
    var engine: Engine
    var window: Window
    var readers = LiveReaders()
    /// Between seal and install.
    var sealed: Batch?
    /// Installed, and its window not closed yet.
    private var isInstalled = false
    /// Requests that wait for its next flush, and then perhaps for another partition's (`Waiting.swift`).
    var waiting: [WaitingRequest] = []

    init(_ engine: consuming Engine, windowMilliseconds: Int) {
        self.engine = engine
        window = Window(milliseconds: windowMilliseconds)
    }

    /// - Returns: whether there was something sealed.
    mutating func installSealed() -> Bool {
        guard let batch = sealed.take() else { return false }
        engine.install(batch)
        isInstalled = true
        return true
    }

    /// - Returns: whether something was installed since the last time.
    mutating func closeInstalled() -> Bool {
        guard isInstalled else { return false }
        isInstalled = false
        window.close()
        return true
    }
}

/// All partitions, by number. Their sums are what the server says of itself.
struct Partitions: ~Copyable {
    private let partitions: UnsafeMutablePointer<Partition>
    let count: Int

    /// - Throws: `outOfMemory`.
    init(_ configuration: ServerConfiguration) throws(EngineStatus) {
        let wanted = configuration.partitions
        let pendingBytes = configuration.pendingBytesMax / wanted
        partitions = .allocate(capacity: wanted)
        for made in 0..<wanted {
            do throws(EngineStatus) {
                let engine = try Engine(
                    hashSeed: .random(in: 0...UInt64.max), pendingBytesMax: UInt64(pendingBytes))
                (partitions + made).initialize(
                    to: Partition(engine, windowMilliseconds: configuration.windowMilliseconds))
            } catch {
                partitions.deinitialize(count: made)
                partitions.deallocate()
                throw error
            }
        }
        count = wanted
    }

    deinit {
        partitions.deinitialize(count: count)
        partitions.deallocate()
    }

    subscript(partition: Int) -> Partition {
        @inline(__always) _read {
            precondition(partition >= 0 && partition < count)
            yield partitions[partition]
        }
        @inline(__always) _modify {
            precondition(partition >= 0 && partition < count)
            yield &partitions[partition]
        }
    }

    // ------------------------------------------------------------------------------------------------------ kinds

    /// Creates the kind in every partition, or in none.
    mutating func createKind(_ kind: UInt16, _ definition: KindDefinition) throws(EngineStatus) {
        for partition in 0..<count {
            do throws(EngineStatus) { try self[partition].engine.createKind(kind, definition) } catch {
                for created in 0..<partition { self[created].engine.discardKind(kind) }
                throw error
            }
        }
    }

    func entities(kind: UInt16) -> UInt64 { (0..<count).reduce(0) { $0 + self[$1].engine.entities(kind: kind) } }
    func entities(source: UInt8) -> UInt64 { (0..<count).reduce(0) { $0 + self[$1].engine.entities(source: source) } }
    /// The same in all of them.
    func queryFrameBytesMax(kind: UInt16) -> Int { self[0].engine.queryFrameBytesMax(kind: kind) }

    /// Answers a group of queries, partition by partition: those of one partition in their order.
    /// - Returns: bytes written.
    func encodeQueries(_ group: borrowing QueryGroup, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var bytes = 0
        for partition in 0..<count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[bytes...])
            bytes += self[partition].engine.encodeQueries(group, of: partition, into: rest)
        }
        return bytes
    }

    // ----------------------------------------------------------------------------------------------------- windows

    /// When the first of the open windows is due.
    var deadline: Int64? {
        var next: Int64?
        for partition in 0..<count {
            guard let deadline = self[partition].window.deadline else { continue }
            next = min(next ?? deadline, deadline)
        }
        return next
    }

    /// The first partition whose open window can hold writes of this turn or an earlier one: they are not installed yet.
    /// Nil: none. A window is not asked whose writes it holds: what waits for it may wait a window longer than it has to.
    func firstUnflushed(upTo turn: UInt64) -> Int? {
        (0..<count).first { self[$0].window.mayHold(turn) }
    }

    /// Sequences of the last installed flushes: with the lineage a token (R4).
    var sequences: [UInt64] { (0..<count).map { self[$0].engine.sequence } }

    // ------------------------------------------------------------------------------------------------------- sums

    var segmentBytes: Int { (0..<count).reduce(0) { $0 + self[$1].engine.segmentBytes } }

    var statistics: EngineStatistics {
        var sum = self[0].engine.statistics
        for partition in 1..<count { sum.add(self[partition].engine.statistics) }
        return sum
    }
}
