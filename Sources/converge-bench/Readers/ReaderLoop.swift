import ConvergeTransport
import ConvergeWire

/// What has arrived, all subscribers together.
struct ReaderCounts {
    var notifications = 0
    /// An older state after a newer one.
    var backward = 0
    /// The same state twice, and no snapshot.
    var repeated = 0
    /// A later state than the next one, and no snapshot.
    var skipped = 0
    /// A state of an entity that is none of the run's.
    var foreign = 0
    var bytesIn = 0
    var bytesOut = 0
    var receives = 0

    static func - (after: ReaderCounts, before: ReaderCounts) -> ReaderCounts {
        ReaderCounts(
            notifications: after.notifications - before.notifications, backward: after.backward - before.backward,
            repeated: after.repeated - before.repeated, skipped: after.skipped - before.skipped,
            foreign: after.foreign - before.foreign, bytesIn: after.bytesIn - before.bytesIn,
            bytesOut: after.bytesOut - before.bytesOut, receives: after.receives - before.receives)
    }
}

/// The subscribers' connections, and what is counted of what they receive.
struct ReaderLoop: ~Copyable {
    private static let answerMicroseconds: Int64 = 30_000_000
    private static let completeMicroseconds: Int64 = 10_000_000
    private static let versionBytesMax = 8 << 30

    private let options: Options
    private let kind: UInt16
    private var transport: Transport
    private var connections: [Connection] = []
    /// Subscriber number by connection slot.
    private var numbers: [Int] = []
    private var versions: RowVersions
    private let flags: SubscribeFlags
    private var subscribed = 0
    /// Bootstraps that have come to their end, and the notifications that the server says were in them.
    private var bootstrapped = 0
    private var announced = 0
    private var acknowledged = 0
    private var question: Exchange.Question?
    private var deadline: Int64 = 0

    /// Connects nobody yet.
    init(_ options: Options, kind: UInt16, subscribers: Int, _ flags: SubscribeFlags = []) throws {
        let bytes = subscribers.multipliedReportingOverflow(by: options.entities * 4)
        guard !bytes.overflow, bytes.partialValue <= Self.versionBytesMax else {
            throw BenchFailure(
                .usage,
                "what \(subscribers) subscribers know of \(options.entities) entities takes more than 8 GiB here: "
                    + "give fewer of them")
        }
        let transport = try Transport(TransportOptions(receiveBuffers: 64))
        self.options = options
        self.kind = kind
        self.flags = flags
        self.transport = transport
        versions = RowVersions(subscribers: subscribers, entities: options.entities)
    }

    /// Connects and subscribes, without a bootstrap: what counts is what changes from here on.
    static func subscribed(_ options: Options, kind: UInt16) throws -> ReaderLoop {
        var loop = try ReaderLoop(options, kind: kind, subscribers: options.subscribers)
        for number in 0..<options.subscribers { try loop.subscribe(number) }
        while loop.subscribed < options.subscribers { try loop.awaitEvents() }
        return loop
    }

    /// Subscribes as these readers, and waits until each has its bootstrap.
    mutating func bootstrap(_ readers: Range<Int>) throws {
        let expected = bootstrapped + readers.count
        let before = versions.notifications
        announced = 0
        for number in readers { try subscribe(number) }
        while bootstrapped < expected { try awaitEvents() }
        guard versions.notifications - before == announced else {
            throw BenchFailure(
                .checkFailed, "the server says it sent \(announced) states, but \(versions.notifications - before) came"
            )
        }
    }

    /// - Throws: `checkFailed`: a reader lacks something.
    func requireComplete(_ latest: [UInt32]) throws {
        let missing = versions.missing(latest)
        guard missing.rows == 0 else {
            throw BenchFailure(.checkFailed, "\(missing.subscribers) readers lack \(missing.rows) rows in all")
        }
    }

    /// The connections end, and what they were told is forgotten; the counts stay.
    mutating func forget() {
        for connection in connections { transport.close(connection, lingerMicroseconds: 0) }
        connections.removeAll()
        versions.forget()
    }

    private mutating func awaitEvents() throws {
        guard try poll(timeoutMicroseconds: Self.answerMicroseconds) > 0 else {
            throw BenchFailure(.timedOut, "the server has sent a subscriber nothing for 30 seconds")
        }
    }

    private mutating func subscribe(_ number: Int) throws {
        let connection = try transport.connect(host: options.host, port: options.port)
        connections.append(connection)
        while numbers.count <= connection.slot { numbers.append(0) }
        numbers[connection.slot] = number
        try transport.send(Connect.bench(.readOnly), stream: 1, to: connection)
        try transport.send(
            Subscribe(kind: kind, flags: flags, buffer: UInt32(options.buffer)), stream: 2, to: connection)
    }

    var waker: Waker { transport.waker }

    /// Receives and answers questions until it is told to end.
    mutating func run(_ exchange: Exchange) throws {
        while true {
            if let asked = exchange.takeQuestion(), try !begin(asked) { return }
            if let answer = try answer() {
                question = nil
                exchange.answer(answer)
            }
            _ = try poll(timeoutMicroseconds: question == nil ? -1 : 100_000)
        }
    }

    /// - Returns: false at the end.
    private mutating func begin(_ asked: Exchange.Question) throws -> Bool {
        question = asked
        switch asked {
        case .counts:
            acknowledged = 0
            deadline = Transport.now() + Self.answerMicroseconds
            // The server answers behind what it has queued before: the answer says that all of it has arrived.
            for connection in connections { try transport.send(Heartbeat(), stream: 3, to: connection) }
        case .missing: deadline = Transport.now() + Self.completeMicroseconds
        case .end: return false
        }
        return true
    }

    /// The answer to the question that is open, if it is ripe.
    private func answer() throws -> Exchange.Answer? {
        guard let question else { return nil }
        let isLate = Transport.now() >= deadline
        switch question {
        case .counts:
            if acknowledged == connections.count { return .counts(counts) }
            guard !isLate else {
                throw BenchFailure(.timedOut, "subscribers have not got what they were sent for 30 seconds")
            }
        case .missing(let latest):
            let missing = versions.missing(latest)
            if missing.rows == 0 || isLate { return .missing(subscribers: missing.subscribers, rows: missing.rows) }
        case .end: break
        }
        return nil
    }

    var counts: ReaderCounts {
        let statistics = transport.statistics
        return ReaderCounts(
            notifications: versions.notifications, backward: versions.backward, repeated: versions.repeated,
            skipped: versions.skipped, foreign: versions.foreign, bytesIn: statistics.bytesIn,
            bytesOut: statistics.bytesOut, receives: statistics.receives)
    }

    private mutating func poll(timeoutMicroseconds: Int64) throws -> Int {
        let events = try transport.poll(timeoutMicroseconds: timeoutMicroseconds)
        for index in 0..<events {
            let event = transport.event(index)
            switch event.kind {
            case .received:
                let taken = try receive(event.bytes, subscriber: numbers[event.connection.slot])
                transport.consume(index, used: taken.used, need: taken.need)
            case .closed where connections.contains(event.connection):
                throw BenchFailure(closed: event.error, options, wasConnected: subscribed > 0)
            case .ended: transport.closeEnded(event)
            default: break
            }
        }
        return events
    }

    private mutating func receive(
        _ bytes: UnsafeRawBufferPointer, subscriber: Int
    ) throws -> (used: Int, need: Int) {
        var offset = 0
        while true {
            offset += versions.take(UnsafeRawBufferPointer(rebasing: bytes[offset...]), subscriber: subscriber)
            if offset == bytes.count { return (offset, 0) }
            switch cutFrame(bytes.bytes, at: offset, payloadMax: WireLimits.frameBytes) {
            case .frame(let header):
                let start = offset + FrameHeader.bytes
                offset = start + header.payloadBytes
                try take(header, bytes.bytes.extracting(start..<offset), subscriber: subscriber)
            case .incomplete(let need): return (offset, need)
            case .refused(let error): throw BenchFailure(.cannotConnect, "the server sent a broken frame: \(error)")
            }
        }
    }

    /// Everything but STATE.
    private mutating func take(_ header: FrameHeader, _ payload: RawSpan, subscriber: Int) throws {
        if let failure = try BenchFailure(unasked: header, payload) { throw failure }
        switch header.opcode {
        case .subscribed: subscribed += 1
        case .heartbeatAck: acknowledged += 1
        case .deleted: versions.takeDeleted(payload, subscriber: subscriber)
        case .bootstrapEnd:
            bootstrapped += 1
            announced += Int(try BootstrapEnd(payload: payload).count)
        default: break
        }
    }
}
