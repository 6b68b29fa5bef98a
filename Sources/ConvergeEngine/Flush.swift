internal import ConvergeCore

/// What one flush changed, between seal and install (F2). Owned by the engine; ends with `Engine.install`.
public struct Batch: ~Copyable {
    let core: OpaquePointer
    /// Sequence of this flush, or of the last one if nothing changed.
    public let sequence: UInt64

    /// Entities changed in the kind, those whose source set alone changed included.
    public func changes(of kind: UInt16) -> Int { cvg_batch_changes(core, kind) }
}

/// Which subscribers get the same bytes.
public struct NotificationClass: Hashable, Sendable {
    /// Written into every frame.
    public let number: UInt16
    /// Frames carry the data before the change.
    public let previous: Bool

    public init(number: UInt16, previous: Bool) {
        self.number = number
        self.previous = previous
    }

    var core: cvg_class { cvg_class(number: number, flags: previous ? UInt16(CVG_CLASS_PREVIOUS.rawValue) : 0) }
}

extension Engine {
    /// Closes the open window (F1, W7, W8).
    /// - Throws: `nothingPending`; `outOfMemory`: the window stays open.
    public mutating func seal() throws(EngineStatus) -> Batch {
        var batch: OpaquePointer?
        try EngineStatus.check(cvg_seal(core, &batch))
        guard let batch else { throw .outOfMemory }
        return Batch(core: batch, sequence: cvg_batch_sequence(batch))
    }

    /// Encodes the batch's notifications of one kind for one class. Before `install`.
    /// - Throws: `unknownKind`, `outOfMemory` (nothing was encoded: the class's readers have to catch up).
    public mutating func encode(
        _ batch: borrowing Batch, kind: UInt16, _ class: NotificationClass
    ) throws(EngineStatus) -> Slices {
        var slices = cvg_slices()
        try EngineStatus.check(cvg_encode(core, batch.core, kind, `class`.core, &slices))
        return Slices(slices)
    }

    /// Makes the batch the state that queries see, and marks it in every catch-up (F3, R3).
    public mutating func install(_ batch: consuming Batch) { cvg_install(core, batch.core) }
}
