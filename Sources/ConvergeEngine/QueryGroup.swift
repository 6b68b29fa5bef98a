internal import ConvergeCore
public import ConvergeWire

/// Queries that are answered together: alone, each waits for memory twice. Their ids stay where they were received.
public struct QueryGroup: ~Copyable {
    /// Queries it takes: as many as the core looks up at a time.
    public static let capacity = 64

    private let lookups: UnsafeMutablePointer<cvg_lookup>
    private let sorted: UnsafeMutablePointer<cvg_lookup>
    /// Of each partition's lookups in `sorted`: where they start while they are put there, and end when they are.
    private let ends: UnsafeMutablePointer<Int>
    private var isSorted = false
    public private(set) var count = 0

    public init() {
        lookups = .allocate(capacity: QueryGroup.capacity)
        sorted = .allocate(capacity: QueryGroup.capacity)
        ends = .allocate(capacity: Router.partitionsMax)
    }

    deinit {
        lookups.deallocate()
        sorted.deallocate()
        ends.deallocate()
    }

    /// - Parameters:
    ///   - stream: of the answer.
    ///   - id: 32 bytes that stay until the group is answered.
    public mutating func append(kind: UInt16, stream: UInt16, id: UnsafeRawPointer) {
        precondition(count < QueryGroup.capacity)
        let lookup = cvg_lookup(id: id.assumingMemoryBound(to: UInt8.self), kind: kind, stream: stream)
        (lookups + count).initialize(to: lookup)
        count += 1
    }

    public mutating func removeAll() {
        count = 0
        isSorted = false
    }

    /// Makes `run(of:)` say which queries each partition answers; nothing to do when there is only one.
    public mutating func sort(_ router: borrowing Router) {
        guard router.partitions > 1 else { return }
        isSorted = true
        ends.initialize(repeating: 0, count: router.partitions)
        withUnsafeTemporaryAllocation(of: Int.self, capacity: QueryGroup.capacity) { numbers in
            for index in 0..<count {
                numbers[index] = router.partition(of: lookups[index].id)
                ends[numbers[index]] += 1
            }
            var start = 0
            for partition in 0..<router.partitions {
                let share = ends[partition]
                ends[partition] = start
                start += share
            }
            for index in 0..<count {
                (sorted + ends[numbers[index]]).initialize(to: lookups[index])
                ends[numbers[index]] += 1
            }
        }
    }

    /// The queries for one partition.
    public func each(of partition: Int, _ body: (_ kind: UInt16, _ stream: UInt16, _ id: EntityID) -> Void) {
        for lookup in run(of: partition) {
            let id = UnsafeRawBufferPointer(start: lookup.id, count: EntityID.bytes)
            body(lookup.kind, lookup.stream, EntityID(loading: id.bytes, at: 0))
        }
    }

    func run(of partition: Int) -> UnsafeBufferPointer<cvg_lookup> {
        guard isSorted else { return UnsafeBufferPointer(start: lookups, count: partition == 0 ? count : 0) }
        let start = partition == 0 ? 0 : ends[partition - 1]
        return UnsafeBufferPointer(start: sorted + start, count: ends[partition] - start)
    }
}

extension Engine {
    /// Writes the QUERY_RESULT frames of the group's queries for one partition, which is this engine's (R1), from the
    /// installed state (F3), in the group's order. Every kind is there, and the buffer as long as the kinds'
    /// `queryFrameBytesMax` together.
    /// - Returns: their bytes.
    public func encodeQueries(
        _ group: borrowing QueryGroup, of partition: Int, into buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let run = group.run(of: partition)
        guard run.count > 0 else { return 0 }
        var answered = cvg_answered()
        let status = cvg_encode_queries(
            core, run.baseAddress, run.count, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count,
            &answered)
        precondition(status == CVG_OK.rawValue && answered.count == run.count)
        return answered.bytes
    }
}
