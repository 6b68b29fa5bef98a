/// What the server counts since it started, for ADMIN stats.
struct ServerCounters {
    /// Windows closed, those in which nothing changed included.
    var flush: UInt64 = 0
    /// Flushes put off for lack of memory.
    var flushesPostponed: UInt64 = 0
    var requests: UInt64 = 0
    /// Flushes that found no room in the lane to a shard with readers: those caught up.
    var handoversRefused: UInt64 = 0
    /// Times that a write found the lane to its shard full.
    var waitsForRoom: UInt64 = 0
    var requestsRefused: UInt64 = 0
    /// Writes that could not be decoded; a BATCH counts one.
    var malformed: UInt64 = 0
    /// Notifications queued from flushes, one for each reader.
    var delivered: UInt64 = 0
    /// Notifications queued by catch-up.
    var caughtUp: UInt64 = 0
    /// Readers moved to catch-up by a flush larger than their buffer (R5).
    var movedToCatchUp: UInt64 = 0
    /// Catch-up steps put off for lack of memory.
    var catchUpsPostponed: UInt64 = 0
    /// Disconnected as R5 says.
    var slowReaders: UInt64 = 0
    /// Disconnected because too much would have had to be held of their requests.
    var heldTooMuch: UInt64 = 0
    /// Connections told that there are as many as may be.
    var turnedAway: UInt64 = 0
    /// Connections ended because they held most of the unfinished messages.
    var unfinishedTooMuch: UInt64 = 0
    /// SUBSCRIBE refused, and readers disconnected, because catch-ups take as much memory as they may.
    var catchUpsRefused: UInt64 = 0
    /// SUBSCRIBE refused because there are as many subscriptions as may be.
    var subscriptionsRefused: UInt64 = 0
    /// Subscriptions now.
    var subscriptions = 0
    /// Of these, behind in any partition.
    var subscriptionsBehind = 0
    /// Connections closed because a reply could not be queued: no memory, or the peer had gone already.
    var unsendable: UInt64 = 0
}

/// The highest values so far of what the server bounds.
struct ServerPeaks {
    /// Of all requests of a turn, or of those in it that had been held.
    var turnCost = 0
    var connections = 0
    var waiting = 0
    var subscriptions = 0
    var catchUpBytes = 0
    var greetings = 0
}

extension Server {
    /// Version of the program.
    public static let version = "0.1.0"
}
