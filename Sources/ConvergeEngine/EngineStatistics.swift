internal import ConvergeCore

/// The core's counters. Bytes where the name says so; counts since the engine was created, except entities, tombstones,
/// pending, memory, segments and catch-ups, which are now.
public struct EngineStatistics: Sendable {
    public var entities, tombstones: UInt64
    public var applied, refused: UInt64
    public var created, updated, deleted, revived, deduplicated: UInt64
    public var flushes, sequence: UInt64
    public var pendingRows, pendingBytes, pendingBytesPeak, pendingBytesMax: UInt64
    public var memoryBytes, segmentBytes: UInt64
    public var catchUps: UInt64

    /// Of several partitions together: sums, and the highest sequence. The peaks need not have come at one time.
    public mutating func add(_ other: EngineStatistics) {
        entities += other.entities
        tombstones += other.tombstones
        applied += other.applied
        refused += other.refused
        created += other.created
        updated += other.updated
        deleted += other.deleted
        revived += other.revived
        deduplicated += other.deduplicated
        flushes += other.flushes
        sequence = max(sequence, other.sequence)
        pendingRows += other.pendingRows
        pendingBytes += other.pendingBytes
        pendingBytesPeak += other.pendingBytesPeak
        pendingBytesMax += other.pendingBytesMax
        memoryBytes += other.memoryBytes
        segmentBytes += other.segmentBytes
        catchUps += other.catchUps
    }
}

extension Engine {
    /// Of the last installed flush that changed anything.
    public var sequence: UInt64 { statistics.sequence }

    /// Bytes of segments alive anywhere.
    public var segmentBytes: Int { Int(statistics.segmentBytes) }

    public var statistics: EngineStatistics {
        var stats = cvg_stats()
        cvg_stats_read(core, &stats)
        return EngineStatistics(
            entities: stats.entities, tombstones: stats.tombstones, applied: stats.applied, refused: stats.refused,
            created: stats.created, updated: stats.updated, deleted: stats.deleted, revived: stats.revived,
            deduplicated: stats.deduplicated, flushes: stats.flushes, sequence: stats.sequence,
            pendingRows: stats.pending_rows, pendingBytes: stats.pending_bytes,
            pendingBytesPeak: stats.pending_bytes_peak, pendingBytesMax: stats.pending_bytes_max,
            memoryBytes: stats.memory_bytes, segmentBytes: stats.segment_bytes, catchUps: stats.catchups)
    }
}
