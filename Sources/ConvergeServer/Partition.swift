import ConvergeEngine
import ConvergeSchema
import ConvergeWire

/// A hash slice of all entities: an engine, the window that is open in it, who reads what its flushes change, and who
/// waits for them. Windows of different partitions open, close and flush each for itself.
struct Partition: ~Copyable {
    var engine: Engine
    var window: Window
    /// By shard: the readers whose connections are there.
    var readers: [LiveReaders]
    /// Bits of the sources whose writes the open window may hold.
    var pendingSources: UInt64 = 0
    /// Between seal and install.
    var sealed: Batch?
    /// Installed, and its window not closed yet.
    private var isInstalled = false
    /// Requests that wait for its next flush, and then perhaps for another partition's (`Waiting.swift`).
    var waiting: [WaitingRequest] = []

    init(_ engine: consuming Engine, windowMilliseconds: Int, shards: Int) {
        self.engine = engine
        readers = Array(repeating: LiveReaders(), count: shards)
        window = Window(milliseconds: windowMilliseconds)
    }

    /// Kinds with at least one reader on any shard, in no order.
    var kindsRead: [UInt16] {
        readers.count == 1 ? readers[0].kindsRead : Array(Set(readers.flatMap(\.kindsRead)))
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
        pendingSources = 0
        return true
    }
}

/// A shard's partitions, by the number that they have among all. Partition p belongs to shard p modulo their number.
struct Partitions: ~Copyable {
    private let partitions: UnsafeMutablePointer<Partition>
    private let shards: Int
    /// Of all shards.
    let count: Int
    /// Those that are here.
    let numbers: [Int]

    /// - Throws: `outOfMemory`.
    init(_ configuration: ServerConfiguration, shard: Int, shards: Int) throws(EngineStatus) {
        count = configuration.partitions
        self.shards = shards
        numbers = Array(stride(from: shard, to: configuration.partitions, by: shards))
        let pendingBytes = configuration.pendingBytesMax / configuration.partitions
        partitions = .allocate(capacity: numbers.count)
        for made in numbers.indices {
            do throws(EngineStatus) {
                let engine = try Engine(
                    hashSeed: .random(in: 0...UInt64.max), pendingBytesMax: UInt64(pendingBytes))
                (partitions + made).initialize(
                    to: Partition(engine, windowMilliseconds: configuration.windowMilliseconds, shards: shards))
            } catch {
                partitions.deinitialize(count: made)
                partitions.deallocate()
                throw error
            }
        }
    }

    deinit {
        partitions.deinitialize(count: numbers.count)
        partitions.deallocate()
    }

    /// - Parameter partition: a number of `numbers`.
    subscript(partition: Int) -> Partition {
        @inline(__always) _read { yield partitions[place(of: partition)] }
        @inline(__always) _modify { yield &partitions[place(of: partition)] }
    }

    @inline(__always)
    private func place(of partition: Int) -> Int {
        let place = shards == 1 ? partition : partition / shards
        precondition(place >= 0 && place < numbers.count)
        return place
    }

    func owner(of partition: Int) -> Int { shards == 1 ? 0 : partition % shards }

    // ------------------------------------------------------------------------------------------------------ kinds

    /// Creates the kind in every partition, or in none.
    mutating func createKind(_ kind: UInt16, _ definition: KindDefinition) throws(EngineStatus) {
        for partition in numbers {
            do throws(EngineStatus) { try self[partition].engine.createKind(kind, definition) } catch {
                for created in numbers.prefix(while: { $0 != partition }) { self[created].engine.discardKind(kind) }
                throw error
            }
        }
    }

    mutating func discardKind(_ kind: UInt16) {
        for partition in numbers { self[partition].engine.discardKind(kind) }
    }

    func entities(kind: UInt16) -> UInt64 { numbers.reduce(0) { $0 + self[$1].engine.entities(kind: kind) } }
    func entities(source: UInt8) -> UInt64 { numbers.reduce(0) { $0 + self[$1].engine.entities(source: source) } }
    /// The same in all of them.
    func queryFrameBytesMax(kind: UInt16) -> Int { self[numbers[0]].engine.queryFrameBytesMax(kind: kind) }

    /// Answers a group of queries, partition by partition: those of one partition in their order.
    /// - Returns: bytes written.
    func encodeQueries(_ group: borrowing QueryGroup, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var bytes = 0
        for partition in numbers {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[bytes...])
            bytes += self[partition].engine.encodeQueries(group, of: partition, into: rest)
        }
        return bytes
    }

    // ----------------------------------------------------------------------------------------------------- windows

    /// When the first of the open windows is due.
    var deadline: Int64? {
        var next: Int64?
        for partition in numbers {
            guard let deadline = self[partition].window.deadline else { continue }
            next = min(next ?? deadline, deadline)
        }
        return next
    }

    /// The first partition whose open window can hold writes of this turn or an earlier one: they are not installed yet.
    /// Nil: none. A window is not asked whose writes it holds: what waits for it may wait a window longer than it has to.
    func firstUnflushed(upTo turn: UInt64) -> Int? {
        numbers.first { self[$0].window.mayHold(turn) }
    }

    /// Those that a window holds writes of, or that assert something.
    var busySources: UInt64 {
        var busy: UInt64 = 0
        for partition in numbers {
            if self[partition].window.isOpen { busy |= self[partition].pendingSources }
            for source: UInt8 in 0..<64 where self[partition].engine.entities(source: source) > 0 {
                busy |= 1 << UInt64(source)
            }
        }
        return busy
    }

    // ------------------------------------------------------------------------------------------------------- sums

    var segmentBytes: Int { numbers.reduce(0) { $0 + self[$1].engine.segmentBytes } }

    var statistics: EngineStatistics {
        var sum = self[numbers[0]].engine.statistics
        for partition in numbers.dropFirst() { sum.add(self[partition].engine.statistics) }
        return sum
    }
}
