public import ConvergeTransport
import ConvergeWire

/// What a server is told when it starts. The defaults serve on the loopback interface.
public struct ServerConfiguration: Sendable {
    /// A numeric address or a name.
    public var host = "127.0.0.1"
    /// 0 picks a free one: `Server.port` says which.
    public var port = WireLimits.defaultPort
    /// Threads, each with its own connections and partitions: 1...partitions.
    public var shards = 1
    /// Into how many slices entities are divided by a hash of their id, each with its own windows: 1...64.
    public var partitions = 1
    /// The coalescing window (F1), 0...60,000; 0 closes it at the end of each turn.
    public var windowMilliseconds = 20
    /// Bound of the open windows' rows in bytes, divided among the partitions (F1). A flush may encode three times as much, and has a quarter of
    /// `segmentBytesMax` for it.
    public var pendingBytesMax = 64 << 20
    /// Notifications that may be unsent from earlier flushes when a subscription asks for no buffer of its own (R5).
    public var subscriberNotifications = 4_096
    /// Bytes that may be unsent on a subscriber's connection from earlier flushes (R5). They are shared with the other
    /// subscribers as long as those are equally late.
    public var subscriberBytes = 64 << 20
    public var connectionsMax = 65_536
    /// How sockets are served.
    public var net = TransportBackend.auto
    /// Bytes of requests held of connections that ask faster than they are answered, all together.
    public var heldBytesMax = 64 << 20
    /// Memory of answers that nobody has taken yet, all connections together; at three quarters of it those who hold most
    /// get GOODBYE.
    public var repliesBytesMax = 256 << 20
    /// Bytes of segments that are alive, that is of notifications not yet sent to all of their readers; at three quarters
    /// of it the readers with most unsent get GOODBYE.
    public var segmentBytesMax = 1 << 30
    /// Bytes of unfinished messages, all connections together; at three quarters of it those who hold most get GOODBYE.
    public var unfinishedBytesMax = 256 << 20
    /// Memory that subscriptions in catch-up may take to remember what they have still to be sent, two bits a row.
    public var catchUpBytesMax = 512 << 20
    /// A connection that has not greeted with CONNECT by then is closed.
    public var greetingMilliseconds = 10_000
    /// How long a connection that is closed may take to get its last messages and to end its side.
    public var lingerMilliseconds = 1_000
    /// What the process's allocator says of itself, for ADMIN stats.
    public var memory: (@Sendable () -> MemoryReading)?

    public init() {}

    /// What one of so many shards may take: bytes are divided, connections are counted together.
    func share(of shards: Int) -> ServerConfiguration {
        var share = self
        share.heldBytesMax /= shards
        share.repliesBytesMax /= shards
        share.segmentBytesMax /= shards
        share.unfinishedBytesMax /= shards
        share.catchUpBytesMax /= shards
        return share
    }
}

/// Bytes as the process's allocator counts them.
public struct MemoryReading: Sendable {
    /// In use by the program.
    public var allocated: UInt64
    /// In pages that hold something in use.
    public var active: UInt64
    /// Mapped and resident.
    public var resident: UInt64

    public init(allocated: UInt64, active: UInt64, resident: UInt64) {
        self.allocated = allocated
        self.active = active
        self.resident = resident
    }
}

/// Bounds and times that nobody has needed to change.
enum ServerLimits {
    /// Of a shutdown, from the signal to the end.
    static let shutdownMicroseconds: Int64 = 4_500_000
    /// How often it looks who has been sent everything, and how long those may still send.
    static let shutdownTickMicroseconds: Int64 = 10_000
    static let shutdownQuietMicroseconds: Int64 = 20_000
    /// Operations gathered before they are applied: a few groups of the core's prefetching.
    static let operationsPerApply = 512
    /// Refusal reports a second and connection (W4).
    static let reportsPerSecond = 100
    static let nameBytes = 255
    /// Of a lane between two shards; the bytes of those to partitions. Larger ones leave the cache between push and take.
    static let laneEntries = 2_048
    static let laneBytes = 256 << 10
    /// Data of a write that is forwarded in the lane itself; what is longer is copied to memory of its own.
    static let forwardedBytesMax = 64 << 10
    /// Requests taken from a lane before its answers are looked at for room again.
    static let requestsAtOnce = 256
    /// Bytes of a catch-up that a partition's shard may send to a reader of another shard before it is told that they have
    /// left.
    static let catchUpCredit = 128 << 10
    static let tokenBytes = 4_096
    /// Entries of connections that have gone which the queue of greetings keeps.
    static let greetingsKept = 1_024
    /// The largest `buffer` of SUBSCRIBE; larger ones mean this.
    static let notificationsMax = 1 << 20
    /// A connection's queue above which nothing more is read from it until it has drained to `queueLow`.
    static let repliesMax = 1 << 20
    /// Of a send queue: its first chunk, and those that follow.
    static let chunkBytes = (small: 4 << 10, large: 64 << 10)
    /// A connection may go on asking while it holds less than this part of what is free in the pool of replies: 2 MiB of 256,
    /// so that up to half of the pool `repliesMax` decides.
    static let repliesShares = 128
    /// A connection's queue at which it counts as drained, and above which its catch-up waits.
    static let queueLow = 128 << 10
    /// Room that is reserved at a time for the answers to queries that came together; one larger answer is reserved alone.
    static let queryGroupBytes = 32 << 10
    /// Requests of one connection that may wait for a flush; then nothing more is read from it until then.
    static let waitingMax = 1_024
    /// And of all connections.
    static let waitingMaxOfAll = 256 << 10
    /// What the requests of one connection may cost in a turn, about a millisecond; what is left of them waits for the
    /// next (`RequestCost`).
    static let turnCost = 1_024
    /// What the requests of all connections may cost in a turn, those that have just come, and again those that were held;
    /// beyond it requests of those who have had less than `turnCostLeast` are handled, if they stay below it, and the rest
    /// wait for the next turn.
    static let turnCostOfAll = 8 * turnCost
    static let turnCostLeast = 16
    /// Bytes of an answer that cost as much as a small request: copied (0.1 us) and sent over loopback (1.1 us).
    static let answerBytesPerCost = 4 << 10
    /// Bytes of whole frames held of one connection: a receive buffer, a request longer than that, and some more.
    static let heldBytesOfConnection = 256 << 10
    /// Payload of a KIND_LIST at most, so that a list is not larger than what a queue may hold.
    static let kindListBytes = 1 << 20
    static let adminBytes = 64 << 10
    /// One catch-up step, and all of a turn.
    static let catchUpStepBytes = 128 << 10
    static let catchUpStepBytesMin = 16 << 10
    /// Slices that a step makes at most, with room: segments have 64 KiB.
    static let slicesOfAStep = 8
    /// A reader in catch-up is stepped while it has less unsent than this part of what is free in the pool of segments,
    /// and by half of that, so that many get less before anyone has to go: from half of 1 GiB on.
    static let segmentShares = 4_096
    /// How often those are looked at who wait for a pool to have more free.
    static let tightMicroseconds: Int64 = 10_000
    /// How many of those who wait are looked at in a turn, however many they are.
    static let looksPerTurn = 256
    /// Subscriptions of all connections.
    static let subscriptionsMax = 1 << 20
    /// Bytes of all kinds' definitions.
    static let definitionBytesMax = 64 << 20
    /// Connections beyond `connectionsMax`, accepted to be told why they are closed.
    static let surplusConnections = 64
    /// About what a connection costs with nothing queued, a subscription, and the loop itself (receive buffers, idle
    /// chunks, operations): their part of `bounds_bytes_max`.
    static let connectionBytes = 4 << 10
    static let subscriptionBytes = 256
    static let loopBytes = 32 << 20
    static let catchUpTurnBytes = 2 << 20
    /// What a catch-up is taken to cost, however few rows its kind has.
    static let catchUpBytesLeast = 4 << 10
    static let heartbeatMilliseconds: UInt32 = 15_000
    static let readOnlySource: UInt8 = 255
    static let frameBytes = WireLimits.frameBytes
}
