import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// One connection, from its accept to its CLOSED event.
///
///     greeting ──CONNECT──▶ open ──GOODBYE──▶ leaving ──┐
///         └───────────────────┴───────────────────────────┴──▶ closing ──CLOSED──▶ free
///
/// A leaving session is no longer listened to, and closes when what it has asked for is answered; so does one whose peer
/// has ended its side. A closing session holds nothing any more: no source, no subscription, nothing that waits.
struct Session {
    enum State { case free, greeting, open, leaving, closing }

    var state = State.free
    var connection = Connection.none

    /// 0...63, or 255: it may not write.
    var source = ServerLimits.readOnlySource

    /// Ordinal of the connection's last write (W4).
    var writes: UInt64 = 0
    /// Writes that were refused.
    var refused: UInt64 = 0
    /// Turn of the last write, to know whether the open window can hold it.
    var lastWriteTurn: UInt64 = 0
    var reports = RefusalReports()

    /// By kind.
    var subscriptions: [UInt16: Subscription] = [:]
    /// Sum of the buffers of its subscriptions: they share the connection's queue (R5).
    var notificationsMax = 0
    /// Subscriptions that wait for their BOOTSTRAP_END.
    var bootstraps = 0

    /// Requests that wait for the open window's flush.
    var waiting = 0
    /// Bytes of their answers at most.
    var waitingBytes = 0
    /// What they will take at most in the send queue, whose chunks hold at least half of what they could.
    var promisedBytes: Int {
        if waitingBytes == 0 { return 0 }
        let chunks = ServerLimits.chunkBytes
        return waitingBytes <= chunks.small / 2 ? chunks.small : chunks.small + chunks.large + 2 * waitingBytes
    }
    /// It is not read from until it can go on (`HeldConnections`).
    var isHeld = false
    /// It stands in one of their lists.
    var isListed = false
    /// Whole frames received that are not handled yet.
    var held: [UInt8] = []
    /// Nothing more will come of it: it is closed when what it has asked for is answered.
    var hasEnded = false
    /// Shutting down: the kernel has taken all that was queued.
    var hasEverything = false
    /// Bits of the shards that writes have been forwarded to since the last SYNC was sent there.
    var forwardedTo: UInt64 = 0
    /// SYNCs that other shards have not answered all.
    var syncs: [PendingSync] = []
    /// A request whose answer takes other shards is under way (CONNECT, SUBSCRIBE, CREATE_KIND): what follows is held.
    var awaitsShards = false
    /// Notifications of other shards that were queued in this turn.
    var handed: (turn: UInt64, notifications: Int, bytes: Int) = (0, 0, 0)
    /// Catch-up bytes of other shards in its queue.
    var owed: [OwedCredit] = []
    /// It stands among `slowReaders`.
    var isTooSlow = false
    /// Of its requests in this turn.
    var cost = RequestCost()

    /// Bytes a frame's payload may have.
    var payloadMax: Int {
        (state == .open ? ServerLimits.frameBytes : WireLimits.frameBytesBeforeConnect) - FrameHeader.bytes
    }

    /// It may be talked to.
    var isAlive: Bool { state == .greeting || state == .open || state == .leaving }
    /// It is listened to.
    var takesFrames: Bool { state == .greeting || state == .open }
    var applied: UInt64 { writes - refused }
}

/// A connection's state subscription of one kind.
struct Subscription {
    let kind: UInt16
    /// Its buffer in notifications (R5).
    let notifications: Int
    /// Index into `LiveReaders.classes`.
    let `class`: Int
    /// Tells it from the connection's other subscriptions of the kind, before and after.
    var serial: UInt32 = 0
    /// Partitions in which it is behind.
    var partsBehind = 0
    /// Until BOOTSTRAP_END.
    var bootstrap: Bootstrap?
    /// Until all shards have begun their parts.
    var starting: StartingSubscription?
}

/// A subscription that is not answered yet: not all shards have begun their parts.
struct StartingSubscription {
    let stream: UInt16
    let message: Subscribe
    var left: Int
    var estimate: UInt64
    var refusal: WireError?
    /// Of the partitions here, begun when it came.
    let catchUps: [CatchUp]
    /// Notifications of shards that have begun, each with a reference: they follow SUBSCRIBED.
    private(set) var kept: [Slice] = []

    init(stream: UInt16, message: Subscribe, left: Int, estimate: UInt64, catchUps: [CatchUp]) {
        self.stream = stream
        self.message = message
        self.left = left
        self.estimate = estimate
        self.catchUps = catchUps
    }

    mutating func keep(_ slice: Slice) {
        slice.retain()
        kept.append(slice)
    }

    func releaseKept() { for slice in kept { slice.release() } }
}

/// A SYNC that waits for shards.
struct PendingSync {
    let id: UInt64
    let stream: UInt16
    /// Ordinal of the last write before it.
    let writes: UInt64
    var synced: Synced
    /// Bits of the shards that have not answered.
    var shards: UInt64
}

/// How far a bootstrap has come over the partitions.
struct Bootstrap {
    var partitionsLeft: Int
    /// STATE and DELETED queued since BOOTSTRAP_BEGIN, of partitions that are live already too.
    var frames: UInt64 = 0
    /// Everything up to these flushes has been sent; of partitions that are not through: 0.
    var sequences: [UInt64]

    init(partitions: Int) {
        partitionsLeft = partitions
        sequences = Array(repeating: 0, count: partitions)
    }
}
