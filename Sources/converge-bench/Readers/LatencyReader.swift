import ConvergeWire
import Glibc
import Synchronization

/// One subscriber on a thread and a blocking connection of its own, which records how old every notification is.
///
/// The first field of a row is the moment at which its write was due: what the notification's arrival is measured from, so
/// that a writer that was held up does not hide what it was held up by.
final class LatencyReader: Sendable {
    private static let bufferBytes = 1 << 20
    /// Of a STATE frame: where the row begins.
    private static let rowOffset = FrameHeader.bytes + 72

    private let link: Link
    private let received = Atomic<Int>(0)
    private let bytes = Atomic<Int>(0)
    /// Writes that were due before are not measured.
    private let start = Atomic<UInt64>(.max)
    private let outcome = Mutex(Outcome())

    private struct Outcome {
        var histogram = Histogram()
        var failure: BenchFailure?
    }

    /// The connection, and the thread that reads from it.
    private final class Link: Sendable {
        let link: RawLink
        init(_ link: consuming RawLink) { self.link = link }
    }

    /// Connects and subscribes, without a bootstrap.
    init(_ options: Options, kind: UInt16) throws {
        link = Link(try RawLink.client(options, Connect.bench(.readOnly)))
        try link.link.send(Subscribe(kind: kind, buffer: UInt32(options.buffer)), stream: 2)
        try link.link.awaitReply(.subscribed, stream: 2)
    }

    /// Notifications and bytes so far.
    var counts: (notifications: Int, bytes: Int) {
        (received.load(ordering: .acquiring), bytes.load(ordering: .acquiring))
    }

    func measure(from moment: UInt64) { start.store(moment, ordering: .releasing) }

    /// - Throws: why nothing is received any more.
    func check() throws {
        if let failure = outcome.withLock({ $0.failure }) { throw failure }
    }

    /// Ends `run`.
    func end() { shutdown(link.link.descriptor, Int32(SHUT_RDWR)) }

    /// What was recorded; when `run` has returned.
    var histogram: Histogram { outcome.withLock { $0.histogram } }

    /// Receives until `end`, or until something is wrong.
    func run() {
        var histogram = Histogram()
        var failure: BenchFailure?
        do { try receive(&histogram) } catch {
            failure = error as? BenchFailure ?? BenchFailure(.cannotConnect, "\(error)")
        }
        outcome.withLock { [histogram] in $0 = Outcome(histogram: histogram, failure: failure) }
    }

    private func receive(_ histogram: inout Histogram) throws {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferBytes, alignment: 64)
        defer { room.deallocate() }
        var held = 0
        while true {
            let count = try link.link.receive(UnsafeMutableRawBufferPointer(rebasing: room[held...]))
            let now = nanosecondsNow()
            held += count
            let used = try take(UnsafeRawBufferPointer(rebasing: room[..<held]), now, &histogram)
            bytes.add(count, ordering: .releasing)
            if used > 0, let front = room.baseAddress {
                memmove(front, front + used, held - used)
                held -= used
            }
            guard held < room.count else { throw BenchFailure(.cannotConnect, "the server sent a frame above 1 MiB") }
        }
    }

    /// - Returns: bytes of the whole frames at the front.
    private func take(_ bytes: UnsafeRawBufferPointer, _ now: UInt64, _ histogram: inout Histogram) throws -> Int {
        var offset = 0
        var states = 0
        let from = start.load(ordering: .acquiring)
        defer { received.add(states, ordering: .releasing) }
        while offset < bytes.count {
            switch cutFrame(bytes.bytes, at: offset, payloadMax: WireLimits.frameBytes) {
            case .frame(let header):
                if header.opcode == .state {
                    let due = bytes.loadUnaligned(fromByteOffset: offset + Self.rowOffset, as: UInt64.self).littleEndian
                    if due >= from { histogram.record(now > due ? now - due : 0) }
                    states += 1
                } else if let failure = try BenchFailure(
                    unasked: header,
                    bytes.bytes.extracting(
                        offset + FrameHeader.bytes..<offset + FrameHeader.bytes + header.payloadBytes))
                {
                    throw failure
                }
                offset += FrameHeader.bytes + header.payloadBytes
            case .incomplete: return offset
            case .refused(let error): throw BenchFailure(.cannotConnect, "the server sent a broken frame: \(error)")
            }
        }
        return offset
    }
}
