import ConvergeTransport
import ConvergeWire

/// The connections that write, all on the caller's thread.
struct Writers: ~Copyable {
    /// Bytes queued to a connection up to which the next block is queued: the socket always has something to take.
    private static let queueLow = 64 << 10
    private static let timeoutMicroseconds: Int64 = 60_000_000
    /// Sources 0 to 62 are claimed; 63 is left to whoever looks on.
    private static let sources = 63

    private struct Writer {
        let connection: Connection
        var isAnswered = false
        var synced = Synced(applied: 0, refused: 0, token: [])
    }

    private let options: Options
    private var block: WriteBlock
    private var transport: Transport
    private var writers: [Writer] = []
    private var answers = 0
    private var next = 0
    private var queriesSent = 0
    private var queriesAnswered = 0

    private init(_ options: Options, _ block: WriteBlock, _ transport: consuming Transport) {
        self.options = options
        self.block = block
        self.transport = transport
    }

    /// Connects. Every connection is a source of its own, or, when there are more than sources, they share them. With
    /// retractions all of them are one source: an entity that another source asserts too would not go away.
    static func connected(_ options: Options, _ form: WriteForm, kind: UInt16, row: [UInt8]) throws -> Writers {
        let sources = form == .mixed ? 1 : min(options.connections, Self.sources)
        var writers = Writers(
            options, WriteBlock(.asserts, kind: kind, row: row, batch: options.batch),
            try Transport(TransportOptions(queueLow: queueLow)))
        for index in 0..<options.connections { try writers.connect(index, sources: sources) }
        try writers.awaitAnswers()
        return writers
    }

    private mutating func connect(_ index: Int, sources: Int) throws {
        let connection = try transport.connect(host: options.host, port: options.port)
        writers.append(Writer(connection: connection))
        let flags: ConnectFlags = options.connections > sources ? [.hasSource, .shared] : .hasSource
        try transport.send(Connect.bench(flags, source: UInt8(index % sources)), stream: 1, to: connection)
    }

    var statistics: TransportStatistics { transport.statistics }

    /// What is written from here on.
    mutating func use(_ form: WriteForm, kind: UInt16, row: [UInt8]) {
        block = WriteBlock(form, kind: kind, row: row, batch: options.batch)
    }

    /// Writes until the length is reached, at `rate` operations a second (0: as fast as the server takes them).
    /// - Parameter observe: called often with what is done, in operations and seconds; what it throws ends the run.
    mutating func write<Keys: KeySource>(
        _ keys: inout Keys, _ length: Options.Length, rate: Int, observe: (Int, Double) throws -> Void
    ) throws {
        let start = Transport.now()
        var written = 0
        while true {
            let seconds = Double(Transport.now() - start) / 1e6
            try observe(written, seconds)
            try requireTime(seconds)
            var wanted: Int
            switch length {
            case .seconds(let limit): wanted = seconds < limit ? Int.max : 0
            case .operations(let limit): wanted = limit - written
            }
            if wanted <= 0 { return }
            if rate > 0 { wanted = min(wanted, Int(seconds * Double(rate)) - written) }
            let queued = try queue(wanted, &keys)
            written += queued
            // Done with what is due: a millisecond's worth comes next. Else until a socket has taken what it was given.
            try poll(timeoutMicroseconds: queued >= wanted ? 1_000 : queued > 0 ? 0 : 100_000)
        }
    }

    private func requireTime(_ seconds: Double) throws {
        guard seconds < options.timeLimit else {
            throw BenchFailure(
                .timedOut, "not done after \(Int(options.timeLimit)) s: give fewer operations or a higher --time-limit")
        }
    }

    /// Queues up to `wanted` operations, rounded up to a unit, a block for each connection that has room.
    private mutating func queue<Keys: KeySource>(_ wanted: Int, _ keys: inout Keys) throws -> Int {
        var queued = 0
        for _ in 0..<writers.count where queued < wanted {
            let connection = writers[next].connection
            next = next + 1 == writers.count ? 0 : next + 1
            guard transport.unsent(connection).bytes <= Self.queueLow else { continue }
            let missing = (wanted - queued - 1) / block.unitOperations + 1
            let units = min(block.units, missing)
            let (bytes, queries) = block.size(units: units)
            guard let room = transport.reserve(connection, bytes) else {
                throw BenchFailure(.cannotConnect, "writes could not be queued: their connection has ended")
            }
            block.fill(room, units: units, &keys)
            transport.commit(connection, bytes)
            queriesSent += queries
            queued += units * block.unitOperations
        }
        return queued
    }

    /// Waits until everything written is flushed and on its way to every subscriber.
    /// - Returns: writes applied and queries answered since the connections were opened.
    mutating func sync() throws -> Int {
        for writer in writers { try transport.send(Sync(), stream: 1, to: writer.connection) }
        try awaitAnswers()
        let refused = writers.reduce(0) { $0 + $1.synced.refused }
        guard refused == 0 else { throw BenchFailure(.refused, "the server refused \(refused) writes") }
        return Int(writers.reduce(0) { $0 + $1.synced.applied }) + queriesAnswered
    }

    private mutating func awaitAnswers() throws {
        answers = 0
        for index in writers.indices { writers[index].isAnswered = false }
        while answers < writers.count || queriesAnswered < queriesSent {
            let before = transport.statistics.bytesOut
            let events = try poll(timeoutMicroseconds: Self.timeoutMicroseconds)
            guard events > 0 || transport.statistics.bytesOut > before else {
                throw BenchFailure(.timedOut, "the server has not answered for 60 seconds")
            }
        }
    }

    @discardableResult
    private mutating func poll(timeoutMicroseconds: Int64) throws -> Int {
        let events = try transport.poll(timeoutMicroseconds: timeoutMicroseconds)
        for index in 0..<events {
            let event = transport.event(index)
            switch event.kind {
            case .closed:
                let writer = writers.first { $0.connection == event.connection }
                throw BenchFailure(closed: event.error, options, wasConnected: writer?.isAnswered ?? true)
            case .received:
                let taken = try eachFrame(event.bytes) { header, payload in
                    try take(header, payload, from: event.connection)
                }
                transport.consume(index, used: taken.used, need: taken.need)
            case .ended: transport.closeEnded(event)
            default: break
            }
        }
        return events
    }

    private mutating func take(_ header: FrameHeader, _ payload: RawSpan, from connection: Connection) throws {
        if let failure = try BenchFailure(unasked: header, payload) { throw failure }
        if header.opcode == .queryResult {
            // Which of the three depends on the retractions: only that it is one of them can be said here.
            guard payload.byteCount >= 28, payload.unsafeLoad(as: UInt8.self) <= 2 else {
                throw BenchFailure(.checkFailed, "the server answered a query with an unknown status")
            }
            queriesAnswered += 1
        }
        guard header.stream == 1, let index = writers.firstIndex(where: { $0.connection == connection }) else { return }
        if header.opcode == .synced { writers[index].synced = try Synced(payload: payload) }
        writers[index].isAnswered = true
        answers += 1
    }
}
