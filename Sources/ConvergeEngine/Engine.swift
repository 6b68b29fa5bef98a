internal import ConvergeCore
public import ConvergeSchema

/// Owner of one partition's core: kinds, rows and the open window. One thread at a time.
///
///     operations -> apply -> seal -> encode -> install -> queries, catch-up
///
/// Nothing it lends (`Slices`) outlives the next call that lends the same.
public struct Engine: ~Copyable {
    let core: OpaquePointer
    let refusals: UnsafeMutablePointer<cvg_refusal>
    static let refusalsMax = 512

    /// - Parameters:
    ///   - hashSeed: from a random source, because ids are hostile input.
    ///   - pendingBytesMax: bound of the open window's rows in bytes; 0: the core's default.
    /// - Throws: `outOfMemory`.
    public init(hashSeed: UInt64, pendingBytesMax: UInt64 = 0) throws(EngineStatus) {
        precondition(Operation.matchesCore, "Operation and cvg_op have different layouts")
        var options = cvg_options()
        options.allocator = HugePages.allocator
        options.hash_seed = hashSeed
        options.pending_bytes_max = pendingBytesMax
        var created: OpaquePointer?
        try EngineStatus.check(cvg_engine_create(&options, &created))
        guard let created else { throw .outOfMemory }
        core = created
        refusals = .allocate(capacity: Engine.refusalsMax)
    }

    deinit {
        cvg_engine_destroy(core)
        refusals.deallocate()
    }

    /// Registers a kind under a number of the caller's choice (1...65,535).
    /// - Throws: `kindExists`, `invalidDefinition`, `outOfMemory`.
    public mutating func createKind(_ kind: UInt16, _ definition: KindDefinition) throws(EngineStatus) {
        let status = CoreDefinition.with(definition) { definition in
            var definition = definition
            return cvg_kind_create(core, kind, &definition)
        }
        try EngineStatus.check(status)
    }

    /// Takes back a kind that nothing has been written to and nobody reads.
    public mutating func discardKind(_ kind: UInt16) {
        let status = cvg_kind_discard(core, kind)
        precondition(status == CVG_OK.rawValue, "kind \(kind) does not exist")
    }

    /// What became of a run of operations.
    public struct Applied {
        /// Operations looked at, from the start of the run.
        public let consumed: Int
        /// Of these, refused: `refusal(0)` up to it.
        public let refused: Int
        /// The window's bytes have reached their bound: flush, then apply the rest (F1).
        public let windowFull: Bool
    }

    /// A write that was refused (W4).
    public struct Refusal {
        /// Counted from the start of the run that was applied.
        public let index: Int
        public let status: EngineStatus
        /// Ordinal of the field at fault, if one is.
        public let field: Int?
    }

    /// Applies the operations from `start` on, in order (W1...W6, W9). Call again with the rest while `consumed` is short
    /// of it: the window is full, or the refusals are.
    public mutating func apply(_ operations: OperationRun, from start: Int) -> Applied {
        precondition(start >= 0 && start <= operations.count)
        let first = UnsafeRawPointer(operations.base + start).assumingMemoryBound(to: cvg_op.self)
        var applied = cvg_applied()
        let status = cvg_apply(core, first, operations.count - start, refusals, Engine.refusalsMax, &applied)
        precondition(status == CVG_OK.rawValue || status == CVG_E_PENDING.rawValue)
        return Applied(
            consumed: applied.consumed, refused: applied.refused, windowFull: status == CVG_E_PENDING.rawValue)
    }

    /// A refusal of the last `apply`; `index` below its `refused`.
    public func refusal(_ index: Int) -> Refusal {
        let refusal = refusals[index]
        return Refusal(
            index: Int(refusal.index), status: EngineStatus(core: Int32(refusal.status)),
            field: refusal.field == UInt16.max ? nil : Int(refusal.field))
    }

    /// Whether writes wait for a flush: a window is open (F1).
    public var windowOpen: Bool { cvg_pending_size(core).rows > 0 }
}
