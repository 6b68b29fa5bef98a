internal import ConvergeCore
public import ConvergeWire

/// Says which partition an entity belongs to, and sorts writes by it.
///
///     OperationBuffer -> sort -> run(of: 0), run(of: 1), ... -> one engine each
///
/// The writes to one entity keep their order. Everything is reused: sorting allocates only while the buffers grow.
public struct Router: ~Copyable {
    /// As many as there may be: one bit each in a word.
    public static let partitionsMax = Int(CVG_PARTITIONS_MAX)

    public let partitions: Int
    private let seed: UInt64
    private var sorted: UnsafeMutablePointer<Operation>
    private var numbers: UnsafeMutablePointer<UInt16>
    private let ends: UnsafeMutablePointer<UInt32>
    private var capacity: Int

    /// - Parameters:
    ///   - partitions: 1...partitionsMax.
    ///   - seed: from a random source, and not an engine's: ids are hostile input.
    ///   - capacity: operations it sorts before it grows, at least 1.
    public init(partitions: Int, seed: UInt64, capacity: Int) {
        precondition(partitions >= 1 && partitions <= Router.partitionsMax && capacity > 0)
        self.partitions = partitions
        self.seed = seed
        self.capacity = capacity
        sorted = .allocate(capacity: capacity)
        numbers = .allocate(capacity: capacity)
        ends = .allocate(capacity: partitions)
        ends.initialize(repeating: 0, count: partitions)
    }

    deinit {
        sorted.deallocate()
        numbers.deallocate()
        ends.deallocate()
    }

    public func partition(of id: EntityID) -> Int {
        partitions == 1 ? 0 : id.withBytes { partition(of: $0.baseAddress.unsafelyUnwrapped) }
    }

    /// - Parameter id: 32 bytes.
    func partition(of id: UnsafeRawPointer) -> Int {
        Int(cvg_partition_of(id.assumingMemoryBound(to: UInt8.self), seed, UInt32(partitions)))
    }

    public mutating func sort(_ operations: OperationRun) {
        if operations.count > capacity { grow(to: operations.count) }
        cvg_route(
            UnsafeRawPointer(operations.base).assumingMemoryBound(to: cvg_op.self), operations.count, seed,
            UInt32(partitions), numbers, UnsafeMutableRawPointer(sorted).assumingMemoryBound(to: cvg_op.self), ends)
    }

    /// Those of one partition, as last sorted; lent until the next time.
    public func run(of partition: Int) -> OperationRun {
        precondition(partition >= 0 && partition < partitions)
        let start = partition == 0 ? 0 : Int(ends[partition - 1])
        return OperationRun(base: sorted + start, count: Int(ends[partition]) - start)
    }

    private mutating func grow(to count: Int) {
        while capacity < count { capacity *= 2 }
        sorted.deallocate()
        numbers.deallocate()
        sorted = .allocate(capacity: capacity)
        numbers = .allocate(capacity: capacity)
    }
}
