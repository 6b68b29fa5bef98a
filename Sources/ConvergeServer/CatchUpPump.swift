import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// A subscriber that is behind in one partition: what it has still to be sent is a set of rows in its engine (R3).
struct CatchUpReader {
    let connection: Connection
    let group: ReaderGroup
    let notifications: Int
    let catchUp: CatchUp
    /// What it may take to remember what it has still to be sent, as large as its kind was when it began.
    let bytes: Int
    /// The partition's part of the bootstrap is not through.
    var isBootstrapping: Bool

    fileprivate var key: SubscriptionKey { SubscriptionKey(connection, group.kind, partition: group.partition) }
}

/// The subscribers in catch-up, served in turn as their sockets drain.
struct CatchUpPump {
    private(set) var readers: [CatchUpReader] = []
    /// Where each reader stands.
    private var places: [SubscriptionKey: Int] = [:]
    /// Who is next.
    var next = 0
    /// How many have been looked at without one that had room, since something happened that gives room.
    var lookedInVain = 0
    /// Segments are short: someone may have room before the transport says that its queue has drained. All are looked at
    /// again at this time; 0: they are not short.
    var lookAgainAt: Int64 = 0

    /// Someone may take more at once: the loop must not sleep.
    var canProceed: Bool { lookedInVain < readers.count }
    var isTight: Bool { lookAgainAt > 0 && !readers.isEmpty }
    /// Sum of `readers`.
    private(set) var bytes = 0
    /// In how many partitions each subscription is behind that is in any.
    private var parts: [SubscriptionKey: Int] = [:]
    /// Subscriptions that are behind.
    var subscriptions: Int { parts.count }

    func index(_ connection: Connection, kind: UInt16, partition: Int) -> Int? {
        places[SubscriptionKey(connection, kind, partition: partition)]
    }

    /// Whether the subscription is behind in any partition.
    func isBehind(_ connection: Connection, kind: UInt16) -> Bool { parts[SubscriptionKey(connection, kind)] != nil }

    mutating func append(_ reader: CatchUpReader) {
        lookedInVain = 0
        places[reader.key] = readers.count
        parts[SubscriptionKey(reader.connection, reader.group.kind), default: 0] += 1
        readers.append(reader)
        bytes += reader.bytes
    }

    /// The last takes its place.
    mutating func remove(at index: Int) -> CatchUpReader {
        let reader = readers[index]
        let last = readers.removeLast()
        lookedInVain = 0
        bytes -= reader.bytes
        if index + 1 == next { next = index }
        places[reader.key] = nil
        let subscription = SubscriptionKey(reader.connection, reader.group.kind)
        parts[subscription] = parts[subscription].flatMap { $0 > 1 ? $0 - 1 : nil }
        if index < readers.count {
            readers[index] = last
            places[last.key] = index
        }
        return reader
    }

    mutating func endBootstrap(at index: Int) { readers[index].isBootstrapping = false }
}

extension Server {
    /// Steps readers whose queues have room, each once, within the turn's budget, so that writers are not stalled. No more
    /// are looked at in a turn than can be in no time: thousands may wait for sockets that nobody reads.
    mutating func pumpCatchUps() {
        guard !catchUps.readers.isEmpty else { return }
        let share = catchUpShare
        lookAgainWhenTight(share)
        guard catchUps.canProceed else { return }
        var budget = ServerLimits.catchUpTurnBytes
        var left = min(catchUps.readers.count, ServerLimits.looksPerTurn)
        while left > 0, budget > 0, !catchUps.readers.isEmpty {
            left -= 1
            if catchUps.next >= catchUps.readers.count { catchUps.next = 0 }
            let index = catchUps.next
            catchUps.next += 1
            if hasRoom(catchUps.readers[index].connection, share) {
                catchUps.lookedInVain = 0
                budget -= step(index, share)
            } else {
                catchUps.lookedInVain += 1
            }
        }
        dismissSlowReaders()
        // Only after sending is it known whose queue has room: above `queueLow` the transport reports when it has drained.
        transport.flush()
        relieve(.segments)
    }

    private mutating func lookAgainWhenTight(_ share: Int) {
        guard share < ServerLimits.queueLow else {
            if catchUps.isTight { catchUps.lookedInVain = 0 }
            catchUps.lookAgainAt = 0
            return
        }
        guard catchUps.lookAgainAt <= now else { return }
        catchUps.lookAgainAt = now + ServerLimits.tightMicroseconds
        catchUps.lookedInVain = 0
    }

    /// What a reader may have unsent and be sent more.
    private var catchUpShare: Int {
        min(ServerLimits.queueLow, (bytesMax(.segments) - bytesUsed(.segments)) / ServerLimits.segmentShares)
    }

    private func hasRoom(_ connection: Connection, _ share: Int) -> Bool {
        transport.unsent(connection).bytes <= share
    }

    /// Sends one reader its next rows; at the end it goes live.
    /// - Returns: bytes queued.
    private mutating func step(_ index: Int, _ share: Int) -> Int {
        let stepBytes = max(ServerLimits.catchUpStepBytesMin, min(ServerLimits.catchUpStepBytes, share))
        let reader = catchUps.readers[index]
        let slices: Slices
        let progress: CatchUpProgress
        do {
            (slices, progress) = try partitions[reader.group.partition].engine.step(reader.catchUp, bytes: stepBytes)
        } catch {
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
                dismissSoon(reader.connection, "the server has no memory to queue its catch-up: subscribe again")
            }
            bytes += slice.bytes
            counters.caughtUp += UInt64(slice.frames)
            countBootstrapped(reader.connection.slot, reader.group.kind, frames: slice.frames)
        }
        if reader.isBootstrapping, progress.rounds > 0 {
            catchUps.endBootstrap(at: index)
            endBootstrap(reader, progress)
        }
        if progress.live { goLive(index) }
        return bytes
    }

    /// The partition's part is through. BOOTSTRAP_END comes when every partition's is (R3).
    private mutating func endBootstrap(_ reader: CatchUpReader, _ progress: CatchUpProgress) {
        let slot = reader.connection.slot
        let kind = reader.group.kind
        guard var bootstrap = sessions[slot].subscriptions[kind]?.bootstrap else { return }
        bootstrap.partitionsLeft -= 1
        bootstrap.sequences[reader.group.partition] = progress.sequence
        sessions[slot].subscriptions[kind]?.bootstrap = bootstrap.partitionsLeft > 0 ? bootstrap : nil
        guard bootstrap.partitionsLeft == 0 else { return }
        sessions[slot].bootstraps -= 1
        reply(
            slot, stream: 0,
            BootstrapEnd(
                kind: kind, klass: UInt16(reader.group.class), count: bootstrap.frames,
                token: token(bootstrap.sequences)))
    }

    /// Notifications are queued that stand in front of the kind's BOOTSTRAP_END, if that is still to come.
    mutating func countBootstrapped(_ slot: Int, _ kind: UInt16, frames: Int) {
        guard sessions[slot].bootstraps > 0 else { return }
        sessions[slot].subscriptions[kind]?.bootstrap?.frames += UInt64(frames)
    }

    private mutating func goLive(_ index: Int) {
        let reader = endCatchUp(at: index)
        feed(LiveReader(connection: reader.connection, notifications: reader.notifications), reader.group)
    }

    /// From here on the reader gets what the partition's flushes change.
    mutating func feed(_ reader: LiveReader, _ group: ReaderGroup) {
        partitions[group.partition].readers.add(reader, kind: group.kind, class: group.class)
    }

    mutating func stopFeeding(_ connection: Connection, _ group: ReaderGroup) {
        partitions[group.partition].readers.remove(connection, kind: group.kind, class: group.class)
    }

    @discardableResult
    mutating func endCatchUp(at index: Int) -> CatchUpReader {
        let reader = catchUps.remove(at: index)
        partitions[reader.group.partition].engine.end(reader.catchUp)
        return reader
    }

    /// What one more catch-up of the kind may take: two bits for each row that there is now.
    func catchUpBytes(_ kind: UInt16) -> Int {
        (0..<partitions.count).reduce(0) { $0 + catchUpBytes(kind, in: $1) }
    }

    /// Its part in one partition.
    private func catchUpBytes(_ kind: UInt16, in partition: Int) -> Int {
        ServerLimits.catchUpBytesLeast / partitions.count
            + Int(clamping: partitions[partition].engine.entities(kind: kind)) / 4
    }

    /// Whether there is memory for so many bytes more of catch-ups.
    func admitsCatchUp(bytes: Int) -> Bool { catchUps.bytes + bytes <= configuration.catchUpBytesMax }

    /// Between seal and install: the reader has everything before this flush, and gets the flush as rows that changed (R5).
    mutating func moveToCatchUp(_ reader: LiveReader, _ group: ReaderGroup) {
        stopFeeding(reader.connection, group)
        guard admitsCatchUp(bytes: catchUpBytes(group.kind, in: group.partition)) else {
            if dismissSoon(reader.connection, Server.catchUpsAreFull) { counters.catchUpsRefused += 1 }
            return
        }
        do {
            let catchUp = try partitions[group.partition].engine.beginEmptyCatchUp(
                kind: group.kind, LiveReaders.classes[group.class])
            counters.movedToCatchUp += 1
            startCatchUp(reader, group, catchUp, isBootstrapping: false)
        } catch {
            dismissSoon(reader.connection, "the server has no memory for its catch-up: subscribe again later")
        }
    }

    mutating func startCatchUp(
        _ reader: LiveReader, _ group: ReaderGroup, _ catchUp: CatchUp, isBootstrapping: Bool
    ) {
        catchUps.append(
            CatchUpReader(
                connection: reader.connection, group: group, notifications: reader.notifications, catchUp: catchUp,
                bytes: catchUpBytes(group.kind, in: group.partition), isBootstrapping: isBootstrapping))
        peaks.catchUpBytes = max(peaks.catchUpBytes, catchUps.bytes)
    }

    static var catchUpsAreFull: String {
        "catch-ups take as much memory as they may (--catch-up-max-mb): subscribe again when others have theirs behind them"
    }

    /// The point in the history that everything up to these flushes makes, one sequence a partition (R4).
    func token(_ sequences: [UInt64]) -> [UInt8] { Token(lineage: lineage, sequences: sequences).bytes }
}
