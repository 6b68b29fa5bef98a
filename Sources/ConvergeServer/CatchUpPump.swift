import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// A subscriber that is behind: what it has still to be sent is a set of rows in the engine (R3).
struct CatchUpReader {
    let connection: Connection
    let kind: UInt16
    let `class`: Int
    let notifications: Int
    let catchUp: CatchUp
    /// BOOTSTRAP_BEGIN has been sent, BOOTSTRAP_END has not.
    var isBootstrapping: Bool

    fileprivate var key: SubscriptionKey { SubscriptionKey(connection, kind) }
}

/// The subscribers in catch-up, served in turn as their sockets drain.
struct CatchUpPump {
    private(set) var readers: [CatchUpReader] = []
    /// Where each reader stands.
    private var places: [SubscriptionKey: Int] = [:]
    /// Who is next.
    var next = 0
    /// Someone's socket would take more at once: the loop must not sleep.
    var canProceed = false

    func index(_ connection: Connection, kind: UInt16) -> Int? { places[SubscriptionKey(connection, kind)] }

    mutating func append(_ reader: CatchUpReader) {
        places[reader.key] = readers.count
        readers.append(reader)
    }

    /// The last takes its place.
    mutating func remove(at index: Int) -> CatchUpReader {
        let reader = readers[index]
        let last = readers.removeLast()
        if index + 1 == next { next = index }
        places[reader.key] = nil
        if index < readers.count {
            readers[index] = last
            places[last.key] = index
        }
        return reader
    }

    /// BOOTSTRAP_END has been sent.
    mutating func endBootstrap(at index: Int) { readers[index].isBootstrapping = false }
}

extension Server {
    /// Steps the readers whose queues have room, each once, within the turn's budget, so that writers are not stalled.
    mutating func pumpCatchUps() {
        catchUps.canProceed = false
        guard !catchUps.readers.isEmpty else { return }
        var budget = ServerLimits.catchUpTurnBytes
        var left = catchUps.readers.count
        while left > 0, budget > 0 {
            left -= 1
            if catchUps.next >= catchUps.readers.count { catchUps.next = 0 }
            let index = catchUps.next
            catchUps.next += 1
            if hasRoom(catchUps.readers[index].connection) { budget -= step(index) }
        }
        dismissSlowReaders()
        // Only after sending is it known whose queue has room: above `queueLow` the transport reports when it has drained.
        transport.flush()
        catchUps.canProceed = catchUps.readers.contains { hasRoom($0.connection) }
    }

    private func hasRoom(_ connection: Connection) -> Bool {
        transport.unsent(connection).bytes <= ServerLimits.queueLow
    }

    /// Sends one reader its next rows; at the end it goes live.
    /// - Returns: bytes queued.
    private mutating func step(_ index: Int) -> Int {
        let reader = catchUps.readers[index]
        let slices: Slices
        let progress: CatchUpProgress
        do { (slices, progress) = try engine.step(reader.catchUp, bytes: ServerLimits.catchUpStepBytes) } catch {
            counters.catchUpsPostponed += 1
            return 0
        }
        var bytes = 0
        for index in 0..<slices.count {
            let slice = slices[index]
            // Weight 0: notifications of a catch-up do not count against the buffer (R5).
            let queued = transport.send(
                reader.connection, segment: slice.segment, offset: slice.offset, bytes: slice.bytes, weight: 0)
            if !queued {
                slowReaders.append(
                    (reader.connection, "the server has no memory to queue its catch-up: subscribe again"))
            }
            bytes += slice.bytes
            counters.caughtUp += UInt64(slice.frames)
        }
        if reader.isBootstrapping, progress.rounds > 0 {
            catchUps.endBootstrap(at: index)
            reply(
                reader.connection.slot, stream: 0,
                BootstrapEnd(
                    kind: reader.kind, klass: UInt16(reader.class), count: progress.rows,
                    token: token(sequence: progress.sequence)))
        }
        if progress.live { goLive(index) }
        return bytes
    }

    private mutating func goLive(_ index: Int) {
        let reader = catchUps.remove(at: index)
        engine.end(reader.catchUp)
        readers.add(
            LiveReader(connection: reader.connection, notifications: reader.notifications), kind: reader.kind,
            class: reader.class)
    }

    /// Between seal and install: the reader has everything before this flush, and gets the flush as rows that changed (R5).
    mutating func moveToCatchUp(_ reader: LiveReader, kind: UInt16, class: Int) {
        readers.remove(reader.connection, kind: kind, class: `class`)
        do {
            let catchUp = try engine.beginEmptyCatchUp(kind: kind, LiveReaders.classes[`class`])
            counters.movedToCatchUp += 1
            catchUps.append(
                CatchUpReader(
                    connection: reader.connection, kind: kind, class: `class`, notifications: reader.notifications,
                    catchUp: catchUp, isBootstrapping: false))
        } catch {
            slowReaders.append((reader.connection, "the server has no memory for its catch-up: subscribe again later"))
        }
    }

    /// The point in the history of flushes that everything up to `sequence` makes (R4).
    func token(sequence: UInt64) -> [UInt8] { Token(lineage: lineage, sequences: [sequence]).bytes }
}
