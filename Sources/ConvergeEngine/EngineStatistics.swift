internal import ConvergeCore

/// The core's counters. Bytes where the name says so; counts since the engine was created, except entities, tombstones,
/// pending, memory, segments and catch-ups, which are now.
public struct EngineStatistics: Sendable {
    public let entities, tombstones: UInt64
    public let applied, refused: UInt64
    public let created, updated, deleted, revived, deduplicated: UInt64
    public let flushes, sequence: UInt64
    public let pendingRows, pendingBytes, pendingBytesPeak, pendingBytesMax: UInt64
    public let memoryBytes, segmentBytes: UInt64
    public let catchUps: UInt64
}

extension Engine {
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
