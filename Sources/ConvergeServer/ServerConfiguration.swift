public import ConvergeTransport
import ConvergeWire

/// What a server is told when it starts. The defaults serve on the loopback interface.
public struct ServerConfiguration: Sendable {
    /// A numeric address or a name.
    public var host = "127.0.0.1"
    /// 0 picks a free one: `Server.port` says which.
    public var port = WireLimits.defaultPort
    /// The coalescing window (F1), 0...60,000; 0 closes it at the end of each turn.
    public var windowMilliseconds = 20
    /// Bound of the open window's rows in bytes (F1); 0: the core's default.
    public var pendingBytesMax: UInt64 = 0
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
    /// A connection that has not greeted with CONNECT by then is closed.
    public var greetingMilliseconds = 10_000
    /// How long a connection that is closed may take to get its last messages and to end its side.
    public var lingerMilliseconds = 1_000
    /// What the process's allocator says of itself, for ADMIN stats.
    public var memory: (@Sendable () -> MemoryReading)?

    public init() {}
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
    /// Operations gathered before they are applied: a few groups of the core's prefetching.
    static let operationsPerApply = 512
    /// Refusal reports a second and connection (W4).
    static let reportsPerSecond = 100
    static let nameBytes = 255
    static let tokenBytes = 4_096
    /// The largest `buffer` of SUBSCRIBE; larger ones mean this.
    static let notificationsMax = 1 << 20
    /// A connection's queue above which nothing more is read from it until it has drained to `queueLow`.
    static let repliesMax = 1 << 20
    /// A connection's queue at which it counts as drained, and above which its catch-up waits.
    static let queueLow = 128 << 10
    /// Requests of one connection that may wait for a flush; then nothing more is read from it until then.
    static let waitingMax = 1_024
    /// What the requests of one connection may cost in a turn, about a millisecond; what is left of them waits for the
    /// next (`RequestCost`).
    static let turnCost = 1_024
    /// What those who go on where they stopped may cost in a turn, all together.
    static let turnCostResumed = 8 * turnCost
    /// Bytes of whole frames held of one connection: a receive buffer, a request longer than that, and some more.
    static let heldBytesOfConnection = 256 << 10
    /// Payload of a KIND_LIST at most, so that a list is not larger than what a queue may hold.
    static let kindListBytes = 1 << 20
    static let adminBytes = 64 << 10
    /// One catch-up step, and all of a turn.
    static let catchUpStepBytes = 128 << 10
    static let catchUpTurnBytes = 2 << 20
    static let heartbeatMilliseconds: UInt32 = 15_000
    static let readOnlySource: UInt8 = 255
    static let frameBytes = WireLimits.frameBytes
}
