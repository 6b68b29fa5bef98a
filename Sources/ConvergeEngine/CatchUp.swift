internal import ConvergeCore

/// One reader's set of rows still to be sent (R3). A handle: `Engine.end` frees what it names, exactly once.
public struct CatchUp {
    let core: OpaquePointer

    /// Live rows of the round that are still to send, estimated.
    public var estimate: UInt64 { cvg_catchup_estimate(core) }
}

/// How far a catch-up has come.
public struct CatchUpProgress: Sendable {
    /// Nothing is left: from here on the reader is fed from flushes.
    public let live: Bool
    /// Rounds ended so far.
    public let rounds: UInt64
    /// Everything up to this flush has been sent; 0 before the first round ends.
    public let sequence: UInt64
    /// Frames handed out so far.
    public let rows: UInt64
}

extension Engine {
    /// Starts a bootstrap: every live row of the kind, then what changes behind it.
    /// - Throws: `unknownKind`, `outOfMemory`.
    public mutating func beginCatchUp(kind: UInt16, _ class: NotificationClass) throws(EngineStatus) -> CatchUp {
        var catchUp: OpaquePointer?
        try EngineStatus.check(cvg_catchup_begin(core, kind, `class`.core, &catchUp))
        guard let catchUp else { throw .outOfMemory }
        return CatchUp(core: catchUp)
    }

    /// Starts a catch-up with nothing in it. Begun between seal and install, it holds what that flush changes: for a reader
    /// that has everything before the flush and cannot be given it whole (R5).
    /// - Throws: `unknownKind`, `outOfMemory`.
    public mutating func beginEmptyCatchUp(kind: UInt16, _ class: NotificationClass) throws(EngineStatus) -> CatchUp {
        var catchUp: OpaquePointer?
        try EngineStatus.check(cvg_catchup_begin_empty(core, kind, `class`.core, &catchUp))
        guard let catchUp else { throw .outOfMemory }
        return CatchUp(core: catchUp)
    }

    /// Encodes about `bytes` more of what is to send, at least one row.
    /// - Throws: `outOfMemory`: nothing was consumed, try later.
    public mutating func step(
        _ catchUp: CatchUp, bytes: Int
    ) throws(EngineStatus) -> (slices: Slices, progress: CatchUpProgress) {
        var slices = cvg_slices()
        var progress = cvg_catchup_progress()
        try EngineStatus.check(cvg_catchup_step(core, catchUp.core, bytes, &slices, &progress))
        return (
            Slices(slices),
            CatchUpProgress(
                live: progress.live, rounds: progress.rounds, sequence: progress.sequence, rows: progress.rows)
        )
    }

    public mutating func end(_ catchUp: CatchUp) { cvg_catchup_end(core, catchUp.core) }
}
