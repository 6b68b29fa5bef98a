import ConvergeEngine
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// One thread of a server: its connections, and the partitions that are its own. `run` is the whole of it, in the order a
/// byte travels.
///
///     poll -> decode -> apply or forward -> window due: seal -> encode -> install -> fan-out -> catch-up -> replies
///       └───▶ what other shards have sent ──▶┘                                └──▶ to other shards' readers
///
/// What each step does stands in a file of its name; what they share are the stored properties here.
struct Shard: ~Copyable {
    let number: Int
    let context: ShardContext
    let configuration: ServerConfiguration
    var transport: Transport
    var partitions: Partitions
    var mail: Mail
    /// The shard's copy.
    var registry = KindRegistry()
    var operations: OperationBuffer
    var router: Router
    /// Sorts what other shards have forwarded.
    var inbound: Router
    var queries = QueryGroup()
    var sessions = SessionTable()
    /// Shard 0's: who holds which source, and kinds that are being created.
    var sources = SourceTable()
    var registrations = Registrations()
    /// By partition: readers here of partitions elsewhere.
    var deliveries: [LiveReaders]
    /// By partition: of the last flush elsewhere that is known of here.
    var knownSequences: [UInt64]
    /// Runs when everything has been taken that other shards had sent before.
    var afterMail: [Job] = []
    var lastSync: UInt64 = 0
    var lastSubscription: UInt32 = 0
    var greetings = GreetingQueue()
    var catchUps = CatchUpPump()
    /// Requests that wait for a flush, in whatever partition.
    var waiting = 0
    var notifications = FlushedNotifications()
    var slowReaders: [(Connection, String)] = []
    var reports = ReportTimer()
    var held = HeldConnections()
    var unsendable: [Connection] = []
    var pools = PoolCounts()
    var peaks = ServerPeaks()
    /// Bytes of the answers of all requests that wait for a flush, at most: the sum of `sessions[...].promisedBytes`.
    var promisedBytes = 0
    /// What all requests of this turn have cost.
    var turnCost = RequestCost()
    var counters = ServerCounters()
    /// Monotonic microseconds, read once a turn.
    var now: Int64
    /// Counts turns of the loop.
    var turn: UInt64 = 0

    init(_ context: ShardContext, number: Int, _ transport: consuming Transport) throws(ServerError) {
        self.number = number
        self.context = context
        configuration = context.configuration.share(of: context.shards)
        do { partitions = try Partitions(context.configuration, shard: number, shards: context.shards) } catch {
            throw ServerError("the engine could not start: \(error)")
        }
        self.transport = transport
        mail = Mail(context, number: number)
        let capacity = 2 * ServerLimits.operationsPerApply
        operations = OperationBuffer(capacity: capacity)
        router = Router(partitions: configuration.partitions, seed: context.routerSeed, capacity: capacity)
        inbound = Router(partitions: configuration.partitions, seed: context.routerSeed, capacity: capacity)
        deliveries = Array(repeating: LiveReaders(), count: configuration.partitions)
        knownSequences = Array(repeating: 0, count: configuration.partitions)
        now = Transport.now()
    }

    /// Serves until it is stopped, then takes leave of everyone.
    /// - Throws: `ServerError` when the transport cannot go on.
    mutating func run() throws(ServerError) {
        while !context.stop.isRaised {
            let events = try poll(timeoutMicroseconds: idleMicroseconds())
            // First: what others have handed over comes before the answers to what has just been received (W4).
            takeMail()
            for index in 0..<events { handle(index) }
            resumeHeld()
            applyWrites()
            flushDueWindows()
            pumpCatchUps()
            dismissSlowReaders()
            sendHeldReports()
            expireGreetings()
            closeUnsendable()
            relieve(.replies)
            relieve(.held)
            mail.publish()
        }
        try shutDown()
    }

    /// Sends what the last turn queued and waits for events.
    mutating func poll(timeoutMicroseconds: Int64) throws(ServerError) -> Int {
        let events: Int
        // Who finds this shard asleep wakes it; what has come before is not slept over.
        let timeout = timeoutMicroseconds == 0 || mail.sleep() ? timeoutMicroseconds : 0
        defer { mail.awake() }
        do { events = try transport.poll(timeoutMicroseconds: timeout) } catch {
            throw ServerError(error.description)
        }
        now = Transport.now()
        endTurnCost()
        turn += 1
        return events
    }

    /// Until the next thing that time brings about; -1: nothing.
    private func idleMicroseconds() -> Int64 {
        if catchUps.canProceed || !held.ready.isEmpty || !afterMail.isEmpty { return 0 }
        var next = Int64.max
        // What falls below a share that is smaller than `queueLow` is told by nobody.
        if catchUps.isTight || !held.watched.isEmpty { next = now + ServerLimits.tightMicroseconds }
        if let deadline = partitions.deadline { next = min(next, deadline) }
        if let deadline = greetings.nextDeadline { next = min(next, deadline) }
        if let deadline = reports.deadline { next = min(next, deadline) }
        return next == .max ? -1 : max(0, next - Transport.now())
    }

    private mutating func handle(_ index: Int) {
        let event = transport.event(index)
        switch event.kind {
        case .accepted: accept(event.connection)
        case .received: receive(index, event)
        case .closed: connectionClosed(event.connection)
        case .drained:
            unpark(event.connection)
            if sessions.isAlive(event.connection) { payCredits(event.connection.slot) }
            catchUps.lookedInVain = 0
        case .ended: connectionEnded(event.connection, event.ending)
        case .connected, .woken: break
        }
    }
}
