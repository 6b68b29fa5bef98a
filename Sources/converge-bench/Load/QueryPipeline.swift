import ConvergeTransport
import ConvergeWire

/// Connections that each keep so many queries under way: for every answer another one goes out.
///
/// A connection has as many slots as queries under way, and slot n has stream n + 1: its frame is encoded once, and only the
/// id is set in it. An answer names its stream, and so the slot, and so the key that it must be about.
struct QueryPipeline: ~Copyable {
    private static let timeoutMicroseconds: Int64 = 30_000_000
    /// In `asked`: nothing is under way in this slot.
    private static let free = UInt64.max

    private let options: Options
    private let check: QueryCheck
    private let depth: Int
    private var transport: Transport
    private var connections: [Connection] = []
    /// Connection number by connection slot.
    private var numbers: [Int] = []
    private var connected = 0
    /// Of each slot: its frame.
    private var frames: [UInt8] = []
    /// Of each connection and slot: the key asked for.
    private var asked: [UInt64]
    /// Slots whose answers have come in the event at hand.
    private var answered: [UInt16] = []
    private var sent = 0
    /// Queries that may still be sent.
    private var budget = 0
    private(set) var answers = 0

    static func connected(_ options: Options, kind: UInt16) throws -> QueryPipeline {
        var pipeline = try QueryPipeline(options, kind: kind)
        for _ in 0..<options.connections { try pipeline.connect() }
        var keys = SequentialKeys(seed: 0)
        while pipeline.connected < options.connections { try pipeline.poll(&keys) }
        return pipeline
    }

    private init(_ options: Options, kind: UInt16) throws {
        self.options = options
        check = QueryCheck(options)
        depth = options.pipeline
        transport = try Transport(TransportOptions(receiveBuffers: 64))
        asked = Array(repeating: Self.free, count: options.connections * depth)
        var writer = FrameWriter()
        for slot in 0..<depth { writer.message(Query(kind: kind, id: .int(0)), stream: UInt16(slot + 1)) }
        frames = writer.bytes
        answered.reserveCapacity(depth)
    }

    private mutating func connect() throws {
        let connection = try transport.connect(host: options.host, port: options.port)
        while numbers.count <= connection.slot { numbers.append(0) }
        numbers[connection.slot] = connections.count
        connections.append(connection)
        try transport.send(Connect.bench(.readOnly), stream: 1, to: connection)
    }

    var statistics: TransportStatistics { transport.statistics }

    /// Asks until the length is reached, and waits for all answers.
    mutating func run<Keys: KeySource>(_ keys: inout Keys, _ length: Options.Length) throws {
        var progress = ProgressBar("query", length)
        let start = Transport.now()
        let before = sent
        if case .operations(let limit) = length { budget = limit } else { budget = .max }
        for number in connections.indices {
            for slot in 0..<depth { answered.append(UInt16(slot)) }
            try ask(number, &keys)
        }
        while answers < sent {
            let seconds = Double(Transport.now() - start) / 1e6
            progress.update(operations: sent - before, seconds: seconds)
            if case .seconds(let limit) = length, seconds >= limit { budget = 0 }
            guard seconds < options.timeLimit else {
                throw BenchFailure(.timedOut, "not done after \(Int(options.timeLimit)) s: give fewer operations")
            }
            try poll(&keys)
        }
    }

    /// A query for each of the `answered` slots, as far as the budget goes.
    private mutating func ask<Keys: KeySource>(_ number: Int, _ keys: inout Keys) throws {
        defer { answered.removeAll(keepingCapacity: true) }
        let count = min(answered.count, budget)
        guard count > 0 else { return }
        let bytes = check.requestBytes
        guard let room = transport.reserve(connections[number], count * bytes), var frame = room.baseAddress else {
            throw BenchFailure(.cannotConnect, "queries could not be queued: their connection has ended")
        }
        frames.withUnsafeBytes { frames in
            for index in 0..<count {
                let slot = Int(answered[index])
                let key = keys.next().key
                frame.copyMemory(from: frames.baseAddress! + slot * bytes, byteCount: bytes)
                frame.storeBytes(of: key.littleEndian, toByteOffset: FrameHeader.bytes + 4, as: UInt64.self)
                asked[number * depth + slot] = key
                frame += bytes
            }
        }
        transport.commit(connections[number], count * bytes)
        budget -= count
        sent += count
    }

    private mutating func poll<Keys: KeySource>(_ keys: inout Keys) throws {
        let events = try transport.poll(timeoutMicroseconds: Self.timeoutMicroseconds)
        guard events > 0 else { throw BenchFailure(.timedOut, "the server has not answered for 30 seconds") }
        for index in 0..<events {
            let event = transport.event(index)
            switch event.kind {
            case .received:
                let number = numbers[event.connection.slot]
                let taken = try receive(event.bytes, from: number)
                transport.consume(index, used: taken.used, need: taken.need)
                try ask(number, &keys)
            case .closed: throw BenchFailure(closed: event.error, options, wasConnected: connected > 0)
            case .ended: transport.closeEnded(event)
            default: break
            }
        }
    }

    private mutating func receive(_ bytes: UnsafeRawBufferPointer, from number: Int) throws -> (used: Int, need: Int) {
        var offset = 0
        while true {
            offset += try takeAnswers(UnsafeRawBufferPointer(rebasing: bytes[offset...]), from: number)
            if offset == bytes.count { return (offset, 0) }
            switch cutFrame(bytes.bytes, at: offset, payloadMax: WireLimits.frameBytes) {
            case .frame(let header):
                let start = offset + FrameHeader.bytes
                offset = start + header.payloadBytes
                if let failure = try BenchFailure(unasked: header, bytes.bytes.extracting(start..<offset)) {
                    throw failure
                }
                guard header.opcode == .connected else {
                    throw BenchFailure(.checkFailed, "the server answered a query with \(header.opcode)")
                }
                connected += 1
            case .incomplete(let need): return (offset, need)
            case .refused(let error): throw BenchFailure(.cannotConnect, "the server sent a broken frame: \(error)")
            }
        }
    }

    /// Checks the answers of the right length at the front of what came.
    /// - Returns: bytes of them.
    private mutating func takeAnswers(_ bytes: UnsafeRawBufferPointer, from number: Int) throws -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let replyBytes = check.replyBytes
        let expected = UInt64(Opcode.queryResult.rawValue) | UInt64(replyBytes - FrameHeader.bytes) << 16
        var offset = 0
        while bytes.count - offset >= replyBytes {
            let frame = base + offset
            let head = frame.loadUnaligned(fromByteOffset: 4, as: UInt64.self).littleEndian
            guard head & 0xFFFF_FFFF_FFFF == expected else { break }
            let slot = Int(frame.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian) - 1
            guard slot >= 0, slot < depth, asked[number * depth + slot] != Self.free else {
                throw BenchFailure(.checkFailed, "the server answered on stream \(slot + 1), where nothing was asked")
            }
            let key = asked[number * depth + slot]
            guard check.isRight(frame, key: key) else { throw QueryCheck.wrong(key: key) }
            asked[number * depth + slot] = Self.free
            answered.append(UInt16(slot))
            answers += 1
            offset += replyBytes
        }
        return offset
    }
}
