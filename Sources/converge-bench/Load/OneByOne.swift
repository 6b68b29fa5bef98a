import ConvergeWire
import Glibc

/// Queries one at a time on a blocking connection, each timed, and a bare TCP ping-pong of the same sizes in between.
struct OneByOne: ~Copyable {
    private static let blockOperations = 2_000

    private let options: Options
    private let check: QueryCheck
    private let link: RawLink
    private let echo: EchoPeer?
    private let room: UnsafeMutableRawBufferPointer
    private(set) var queries = Histogram()
    private(set) var pings = Histogram()
    private(set) var reading: Stopwatch.Reading?

    /// - Throws: when there is no connection.
    init(_ options: Options, kind: UInt16) throws {
        let check = QueryCheck(options)
        let echo = options.isPinging ? try EchoPeer(request: check.requestBytes, reply: check.replyBytes) : nil
        let link = try RawLink.client(options, Connect.bench(.readOnly))
        self.options = options
        self.check = check
        self.echo = echo
        self.link = link
        room = .allocate(byteCount: check.requestBytes + check.replyBytes, alignment: 8)
        Query(kind: kind, id: .int(0)).encodeFrame(stream: 1, into: room)
    }

    deinit { room.deallocate() }

    private var request: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<check.requestBytes])
    }
    private var reply: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: room[check.requestBytes...])
    }

    /// Not counted: everything runs once.
    mutating func warmUp(_ keys: inout RunKeys) throws {
        try query(&keys, Self.blockOperations)
        try ping(Self.blockOperations)
        queries = Histogram()
        pings = Histogram()
    }

    /// Blocks of queries and of round trips take turns until the length is reached.
    mutating func run(_ keys: inout RunKeys, _ clock: ProcessClock?) throws {
        var progress = ProgressBar("query", options.length)
        let start = nanosecondsNow()
        while true {
            let seconds = Double(nanosecondsNow() - start) * 1e-9
            let done = Int(queries.count)
            progress.update(operations: done, seconds: seconds)
            var wanted = Self.blockOperations
            switch options.length {
            case .seconds(let limit): if seconds >= limit { return }
            case .operations(let limit):
                wanted = min(wanted, limit - done)
                if wanted <= 0 { return }
            }
            guard seconds < options.timeLimit else {
                throw BenchFailure(.timedOut, "not done after \(Int(options.timeLimit)) s: give fewer --operations")
            }
            let stopwatch = Stopwatch(server: clock)
            try query(&keys, wanted)
            let block = try stopwatch.read()
            reading = reading.map { $0 + block } ?? block
            try ping(wanted)
        }
    }

    private mutating func query(_ keys: inout RunKeys, _ count: Int) throws {
        for _ in 0..<count {
            let key = keys.next().key
            room.storeBytes(of: key.littleEndian, toByteOffset: FrameHeader.bytes + 4, as: UInt64.self)
            let sent = nanosecondsNow()
            try link.send(request)
            var received = 0
            repeat {
                received += try link.receive(UnsafeMutableRawBufferPointer(rebasing: reply[received...]))
                // Another frame is shorter: it is seen before more is waited for.
                if received >= FrameHeader.bytes, !isReply { throw QueryCheck.wrong(key: key) }
            } while received < reply.count
            queries.record(nanosecondsNow() - sent)
            guard let answer = reply.baseAddress, check.isRight(answer, key: key) else {
                throw QueryCheck.wrong(key: key)
            }
        }
    }

    /// The header that came is that of the reply there should be.
    private var isReply: Bool {
        let head = reply.loadUnaligned(fromByteOffset: 4, as: UInt64.self).littleEndian
        return reply.loadUnaligned(fromByteOffset: 2, as: UInt16.self).littleEndian == 1
            && head & 0xFFFF == UInt64(Opcode.queryResult.rawValue)
            && Int(UInt32(truncatingIfNeeded: head >> 16)) == reply.count - FrameHeader.bytes
    }

    private mutating func ping(_ count: Int) throws {
        guard let echo else { return }
        for _ in 0..<count {
            let sent = nanosecondsNow()
            try echo.exchange(request, reply)
            pings.record(nanosecondsNow() - sent)
        }
    }
}
