import ConvergeWire
import Glibc

/// Writes at a fixed rate on a blocking connection, each at its moment, entities in turn. When it is late it catches up
/// without a pause, and every write still carries the moment at which it was due.
struct PacedWriter: ~Copyable {
    private static let toldNanoseconds: UInt64 = 10_000_000_000

    private let options: Options
    private let link: RawLink
    private let pacemaker = Pacemaker()
    private let frame: UnsafeMutableRawBufferPointer
    private let interval: Double
    private(set) var written = 0
    /// How much after its moment a write was handed to the kernel.
    private(set) var lateness = Histogram()

    var frameBytes: Int { frame.count }

    init(_ options: Options, kind: UInt16, row: [UInt8]) throws {
        let link = try RawLink.client(options, Connect.bench([]))
        self.options = options
        self.link = link
        interval = 1e9 / Double(options.rate)
        var writer = FrameWriter()
        writer.assert(kind: kind, schema: 1, id: .int(0), data: row)
        frame = .allocate(byteCount: writer.count, alignment: 8)
        frame.copyBytes(from: writer.bytes)
    }

    deinit { frame.deallocate() }

    mutating func forgetLateness() { lateness = Histogram() }

    mutating func write(seconds: Double, _ reader: LatencyReader) throws { try write(.seconds(seconds), reader) }

    mutating func write(_ length: Options.Length, _ reader: LatencyReader) throws {
        let count =
            switch length {
            case .seconds(let seconds): max(1, Int(seconds * Double(options.rate)))
            case .operations(let operations): operations
            }
        var progress = ProgressBar("latency", .operations(count))
        // Far enough ahead for the first wait to be one.
        let start = nanosecondsNow() + 1_000_000
        for index in 0..<count {
            let due = start + UInt64(Double(index) * interval)
            let now = pacemaker.wait(until: due)
            lateness.record(now - due)
            let head = frame.baseAddress! + FrameHeader.bytes + 4
            head.storeBytes(of: UInt64(written % options.entities).littleEndian, as: UInt64.self)
            head.storeBytes(of: due.littleEndian, toByteOffset: EntityID.bytes + 4, as: UInt64.self)
            try link.send(UnsafeRawBufferPointer(frame))
            written += 1
            // Now and then: neither belongs between two writes that are due.
            guard index % 1_000 == 999 else { continue }
            progress.update(operations: index, seconds: 0)
            try reader.check()
            guard Double(now - start) * 1e-9 < options.timeLimit else {
                throw BenchFailure(
                    .timedOut, "not done after \(Int(options.timeLimit)) s: the server takes less than the rate")
            }
        }
    }

    /// Waits until everything written is flushed, and the reader has been told of each write.
    func awaitTold(_ reader: LatencyReader) throws {
        try link.send(Sync(), stream: 1)
        let payload = try link.awaitReply(.synced, stream: 1)
        let synced = try Synced(payload: payload.span.bytes)
        guard synced.refused == 0 else {
            throw BenchFailure(.refused, "the server refused \(synced.refused) writes")
        }
        let deadline = nanosecondsNow() + Self.toldNanoseconds
        while reader.counts.notifications < written {
            try reader.check()
            guard nanosecondsNow() < deadline else {
                throw BenchFailure(
                    .checkFailed, "the subscriber was told of \(reader.counts.notifications) of \(written) writes")
            }
            usleep(1_000)
        }
        guard reader.counts.notifications == written else {
            throw BenchFailure(
                .checkFailed, "the subscriber was told \(reader.counts.notifications) times of \(written) writes")
        }
    }
}
