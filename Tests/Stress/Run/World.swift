import ConvergeJSON
import ConvergeTransport
import ConvergeWire

/// One run: the server, everyone who talks to it, and the loop that gives each its turn. One thread.
final class World {
    static let host = "127.0.0.1"

    let options: Options
    let server: ServerProcess
    var transport: Transport
    var random: Random
    var counts = Counts()
    var fault: Fault?
    /// Of this turn, in the transport's time.
    private(set) var now = Transport.now()
    /// Microseconds between two looks at the network, at most, in the last second.
    private(set) var longestTurn: Int64 = 0
    private let startedAt = Transport.now()
    /// Nobody comes, goes or writes of his own accord.
    var isQuiet = false
    var isStopping = false

    private(set) var inspector: Inspector!
    private(set) var sources: [Source] = []
    private(set) var subscribers: [Subscriber] = []
    let observed = KindShape.all.map { _ in Observed() }
    /// Numbers of the kinds, as the server gave them.
    private(set) var kinds: [UInt16] = []
    private(set) var fenceKind: UInt16 = 0
    private var kindIndexes = [Int8](repeating: -1, count: 256)

    /// Kept for every write.
    var writer = FrameWriter()
    var row: [UInt8] = []

    private var peers: [Peer?] = []
    private var progressAt: Int64 = 0
    private var progressCounts = Counts()

    private init(_ options: Options) throws(StressFailure) {
        self.options = options
        random = Random(seed: options.seed)
        // How long writes are collected belongs to the seed too.
        let window = [0, 2, 5, 20][random.below(4)]
        server = try ServerProcess(options, windowMilliseconds: window)
        do { transport = try Transport(TransportOptions(receiveBuffers: 64)) } catch {
            throw StressFailure("\(error)")
        }
        fault = options.fault.map { Fault($0, every: random.within(20...100)) }
    }

    // MARK: The course of a run

    static func run(_ options: Options) throws(StressFailure) -> Summary {
        let world = try World(options)
        do throws(StressFailure) {
            return try world.run()
        } catch {
            // Whoever finds the server dead or complaining says so first.
            throw world.server.explain(error)
        }
    }

    private func run() throws(StressFailure) -> Summary {
        try begin()
        let end = startedAt + Int64(options.seconds) * 1_000_000
        let pause = Int64(min(4, max(1, options.seconds / 2))) * 1_000_000
        while now < end {
            try disturb(until: min(end, now + pause))
            try converge()
        }
        try closeRows()
        let statistics = try inspector.statistics()
        let sentAway = statistics["subscriptions"]?["slow_readers_disconnected"]?.integer(as: Int.self) ?? 0
        guard counts.slowReaders + counts.slowReadersCut <= sentAway else {
            throw StressFailure(
                "\(counts.slowReaders) slow readers were told goodbye and \(counts.slowReadersCut) lost their connection, but "
                    + "the server has sent away \(sentAway)")
        }
        let summary = Summary(self, statistics)
        try stop()
        return summary
    }

    private func begin() throws(StressFailure) {
        inspector = Inspector(self)
        try inspector.begin()
        for (index, shape) in KindShape.all.enumerated() {
            let kind = try inspector.create(shape.definition)
            guard Int(kind) < kindIndexes.count else {
                throw StressFailure("the server gave the number \(kind) to its first kinds")
            }
            kindIndexes[Int(kind)] = Int8(index)
            kinds.append(kind)
        }
        fenceKind = try inspector.create(KindShape.fence.definition)
        sources = (0..<Writers.count).map { Source($0, self) }
        subscribers = (0..<options.subscribers).map { Subscriber($0, self, isSlow: $0 % 10 == 9) }
        try wait(until: "every source is connected") { [self] in sources.allSatisfy(\.isSettled) }
    }

    /// Everyone does as he likes.
    private func disturb(until end: Int64) throws(StressFailure) {
        isQuiet = false
        let begin = now
        let already = counts.writes
        var churned = 0
        while now < end {
            try turn(microseconds: 1_000)
            let elapsed = now - begin
            var wanted = Int(elapsed) * options.rate / 1_000_000 - (counts.writes - already)
            // A server that is behind gets no more: connections that are full are passed over.
            for _ in 0..<Writers.count where wanted > 0 {
                wanted -= try act(sources[random.below(Writers.count)], wanted)
            }
            while churned < Int(elapsed) / 5_000 {
                churned += 1
                try subscribers[random.below(subscribers.count)].churn()
                if churned % 4 == 0 { try sources[random.below(Writers.count)].churn() }
            }
        }
    }

    private func act(_ source: Source, _ wanted: Int) throws(StressFailure) -> Int {
        guard let link = source.link, !link.isLeaving, !link.isReplaced else { return 0 }
        guard transport.unsent(link.connection).bytes < SourceLink.unsentMax else { return 0 }
        let written = try link.writeSome(wanted)
        if random.percent(25) { try link.ask() }
        if random.percent(10) { try link.sync() }
        return written
    }

    /// SIGTERM: everyone is told goodbye, and the server ends in order.
    private func stop() throws(StressFailure) {
        isStopping = true
        isQuiet = true
        for subscriber in subscribers { subscriber.resume() }
        let open = peers.reduce(0) { $0 + ($1?.isOpen == true ? 1 : 0) }
        let before = counts.shutdownGoodbyes
        server.terminate()
        try wait(until: "every connection has ended after SIGTERM") { [self] in peers.allSatisfy { $0 == nil } }
        guard counts.shutdownGoodbyes - before == open else {
            throw StressFailure(
                "\(open) connections were open at SIGTERM, \(counts.shutdownGoodbyes - before) were told goodbye")
        }
        try server.awaitEnd()
    }

    // MARK: The loop

    /// Turns until something is so, a minute at most.
    func wait(until what: String, _ isSo: () throws(StressFailure) -> Bool) throws(StressFailure) {
        let deadline = Transport.now() + 60_000_000
        while try !isSo() {
            try turn(microseconds: 2_000)
            guard now < deadline else { throw StressFailure("after a minute it is not so that \(what)") }
        }
    }

    func turn(microseconds: Int64) throws(StressFailure) {
        let events: Int
        do { events = try transport.poll(timeoutMicroseconds: microseconds) } catch { throw StressFailure("\(error)") }
        let time = Transport.now()
        longestTurn = max(longestTurn, time - now)
        now = time
        for index in 0..<events { try take(index) }
        if !isStopping {
            for source in sources { try source.tick() }
            for subscriber in subscribers { try subscriber.tick() }
        }
        if now >= progressAt {
            if progressAt > 0, fault == nil {
                say(counts.line(since: progressCounts, second: Int(now - startedAt) / 1_000_000))
            }
            progressCounts = counts
            longestTurn = 0
            progressAt = (progressAt > 0 ? progressAt : now) + 1_000_000
        }
    }

    private func take(_ index: Int) throws(StressFailure) {
        let event = transport.event(index)
        let slot = event.connection.slot
        guard slot < peers.count, let peer = peers[slot], peer.connection == event.connection else { return }
        switch event.kind {
        case .received:
            let bytes = event.bytes.bytes
            var offset = 0
            var need = 0
            cutting: while offset < bytes.byteCount {
                switch cutFrame(bytes, at: offset, payloadMax: WireLimits.frameBytes) {
                case .frame(let header):
                    let start = offset + FrameHeader.bytes
                    offset = start + header.payloadBytes
                    try peer.take(header, bytes.extracting(start..<offset))
                    guard peer.connection == event.connection else { return }
                case .incomplete(let bytes):
                    need = bytes
                    break cutting
                case .refused(let error): throw StressFailure("\(peer.name) was sent a broken frame: \(error)")
                }
            }
            peer.unfinished = bytes.byteCount - offset
            transport.consume(index, used: offset, need: need)
        case .ended: transport.closeEnded(event)
        case .closed:
            peers[slot] = nil
            peer.connection = .none
            peer.isOpen = false
            try peer.ended(event.error)
        default: break
        }
    }

    func open(_ peer: Peer) throws(StressFailure) -> Connection {
        let connection: Connection
        do { connection = try transport.connect(host: Self.host, port: server.port) } catch {
            throw StressFailure("\(error)")
        }
        while peers.count <= connection.slot { peers.append(nil) }
        peers[connection.slot] = peer
        counts.connectionsPeak = max(counts.connectionsPeak, peers.reduce(0) { $0 + ($1 == nil ? 0 : 1) })
        return connection
    }

    /// Writers that were replaced and are still there.
    var hasReplaced: Bool { peers.contains { ($0 as? SourceLink)?.isReplaced == true } }

    func forget(_ connection: Connection) { peers[connection.slot] = nil }

    // MARK: Names

    @inline(__always)
    func index(ofKind kind: UInt16) -> Int? {
        let index = Int(kindIndexes[Int(kind & 0xFF)])
        return kind < 256 && index >= 0 ? index : nil
    }

    func kindName(_ kind: UInt16) -> String { index(ofKind: kind).map { KindShape.all[$0].name } ?? "kind \(kind)" }

    func label(_ kind: Int, _ entity: Int) -> String { "\(KindShape.all[kind].name) entity \(entity)" }
}
