internal import ConvergeShard

/// A bounded ring from one shard to another: one producer, one consumer, no lock and no system call.
///
///     producer: push, push, ... -> publish, once a turn          consumer: take -> entries where they lie -> release
///
/// Entries are plain bytes of one size, each with some of its own or none; both lie in the lane and are copied once. Methods of
/// the producer on one thread, those of the consumer on one thread; nothing here waits.
public final class Lane: @unchecked Sendable {
    private let lane: OpaquePointer

    /// - Parameters:
    ///   - entryBytes: a multiple of 8, at most 4,096.
    ///   - entries: capacity, a power of two.
    ///   - bytes: capacity for the entries' own bytes, a power of two, or 0.
    /// - Returns: nil: no memory.
    public init?(entryBytes: Int, entries: Int, bytes: Int) {
        var options = cvg_lane_options(
            entry_bytes: UInt32(entryBytes), entries: UInt32(entries), bytes: UInt32(bytes))
        guard let lane = cvg_lane_create(&options) else { return nil }
        self.lane = lane
    }

    deinit { cvg_lane_destroy(lane) }

    // MARK: Producer

    /// Room for an entry and bytes of its own (at most half of the lane's), to be filled before `publish`. Nil: the lane is full.
    @inline(__always)
    public func push(bytes: Int = 0) -> (entry: UnsafeMutableRawPointer, bytes: UnsafeMutableRawPointer?)? {
        var data: UnsafeMutablePointer<UInt8>?
        guard let entry = cvg_lane_push(lane, UInt32(bytes), &data) else { return nil }
        return (entry, UnsafeMutableRawPointer(data))
    }

    /// Entries without bytes that can be pushed now, at least.
    public var room: Int { Int(cvg_lane_room(lane)) }

    /// Hands over what was pushed since the last time.
    /// - Returns: whether the consumer sleeps and has to be woken.
    public func publish() -> Bool { cvg_lane_publish(lane) }

    /// The lane was full: the next release that makes room says that this side is to be woken.
    /// - Returns: false: there is room by now.
    public func wantRoom(bytes: Int = 0) -> Bool { cvg_lane_want_room(lane, UInt32(bytes)) }

    // MARK: Consumer

    /// The oldest entries that lie behind each other in memory; they stay until they are released.
    public func take() -> (entries: UnsafeMutableRawPointer, count: Int)? {
        var entries: UnsafeMutableRawPointer?
        let count = cvg_lane_take(lane, &entries)
        guard count > 0, let entries else { return nil }
        return (entries, count)
    }

    /// The first `count` entries of the last run are done with.
    /// - Returns: whether the producer waits for room and has to be woken.
    public func release(_ count: Int) -> Bool { cvg_lane_release(lane, count) }

    /// This side is about to wait: from now on a publish says that it has to be woken.
    /// - Returns: false: something is there already, and it counts as awake again.
    public func sleep() -> Bool { cvg_lane_sleep(lane) }

    /// This side is awake, for whatever reason.
    public func awake() { cvg_lane_awake(lane) }

    // MARK: Statistics

    public struct Statistics: Sendable {
        public var pushed: UInt64 = 0
        public var full: UInt64 = 0
        public var wakes: UInt64 = 0
        public var entriesPeak: UInt64 = 0
        public var entriesMax: UInt64 = 0
    }

    /// By the producer.
    public var statistics: Statistics {
        var stats = cvg_lane_stats()
        cvg_lane_stats_read(lane, &stats)
        return Statistics(
            pushed: stats.pushed, full: stats.full, wakes: stats.wakes, entriesPeak: stats.entries_peak,
            entriesMax: stats.entries_max)
    }
}
