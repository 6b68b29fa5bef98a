import ConvergeEngine
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// A ConvergeDB server in memory: one thread over its partitions. `run` is the whole of it, in the order a byte travels.
///
///     poll -> decode -> apply -> window due: seal -> encode -> install -> fan-out -> catch-up -> replies
///
/// What each step does stands in a file of its name; what they share are the stored properties here.
public struct Server: ~Copyable {
    let configuration: ServerConfiguration
    var transport: Transport
    var partitions: Partitions
    var registry = KindRegistry()
    var operations: OperationBuffer
    var router: Router
    var queries = QueryGroup()
    var sessions = SessionTable()
    var sources = SourceTable()
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
    let lineage: UInt64
    let stopFlag = StopFlag()

    /// Monotonic microseconds, read once a turn.
    var now: Int64
    /// Counts turns of the loop.
    var turn: UInt64 = 0

    /// The port it listens on.
    public let port: UInt16

    /// Listens; connections are served by `run`.
    /// - Throws: `ServerError`, a sentence: the address is not to be had, or memory is not.
    public init(_ configuration: ServerConfiguration) throws(ServerError) {
        var transport = try Server.makeTransport(configuration)
        let partitions = try Server.makePartitions(configuration)
        let port = try Server.listen(&transport, configuration)
        self.init(configuration, transport, partitions, port: port)
    }

    private init(
        _ configuration: ServerConfiguration, _ transport: consuming Transport, _ partitions: consuming Partitions,
        port: UInt16
    ) {
        self.transport = transport
        self.partitions = partitions
        self.port = port
        self.configuration = configuration
        operations = OperationBuffer(capacity: 2 * ServerLimits.operationsPerApply)
        router = Router(
            partitions: configuration.partitions, seed: .random(in: 0...UInt64.max),
            capacity: 2 * ServerLimits.operationsPerApply)
        lineage = .random(in: 1...UInt64.max)
        now = Transport.now()
        counters.startedAt = now
    }

    private static func makeTransport(_ configuration: ServerConfiguration) throws(ServerError) -> Transport {
        let options = TransportOptions(
            connectionsMax: configuration.connectionsMax + ServerLimits.surplusConnections,
            unfinishedMax: configuration.unfinishedBytesMax, messageMax: ServerLimits.frameBytes,
            queueLow: ServerLimits.queueLow, backend: configuration.net)
        do { return try Transport(options) } catch { throw ServerError(error.description) }
    }

    private static func makePartitions(_ configuration: ServerConfiguration) throws(ServerError) -> Partitions {
        do { return try Partitions(configuration) } catch { throw ServerError("the engine could not start: \(error)") }
    }

    private static func listen(
        _ transport: inout Transport, _ configuration: ServerConfiguration
    ) throws(ServerError) -> UInt16 {
        do { return try transport.listen(host: configuration.host, port: configuration.port) } catch {
            throw ServerError(error.description)
        }
    }

    /// Why epoll serves the sockets though io_uring was to: a sentence without its end. Nil: what was asked for serves them.
    public var netFallback: String? { transport.backend.fallback }

    /// Stops the server from any thread.
    public var stopper: Stopper { Stopper(flag: stopFlag, waker: transport.waker) }

    /// Serves until it is stopped, then takes leave of everyone.
    /// - Throws: `ServerError` when the transport cannot go on.
    public mutating func run() throws(ServerError) {
        while !stopFlag.isRaised {
            let events = try poll(timeoutMicroseconds: idleMicroseconds())
            for index in 0..<events { handle(index) }
            resumeHeld()
            applyWrites()
            flushDueWindows()
            pumpCatchUps()
            sendHeldReports()
            expireGreetings()
            closeUnsendable()
            relieve(.replies)
            relieve(.held)
        }
        try shutDown()
    }

    /// Sends what the last turn queued and waits for events.
    mutating func poll(timeoutMicroseconds: Int64) throws(ServerError) -> Int {
        let events: Int
        do { events = try transport.poll(timeoutMicroseconds: timeoutMicroseconds) } catch {
            throw ServerError(error.description)
        }
        now = Transport.now()
        endTurnCost()
        turn += 1
        return events
    }

    /// Until the next thing that time brings about; -1: nothing.
    private func idleMicroseconds() -> Int64 {
        if catchUps.canProceed || !held.ready.isEmpty { return 0 }
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
            catchUps.lookedInVain = 0
        case .ended: connectionEnded(event.connection, event.ending)
        case .connected, .woken: break
        }
    }
}

/// Why a server cannot start or go on; `description` is a sentence that says what to change.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
