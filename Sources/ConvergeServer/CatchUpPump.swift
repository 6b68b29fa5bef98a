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
    /// Of its subscription.
    let serial: UInt32
    /// A reader on another shard: bytes that may be sent to it before it has said that others have left.
    var credit: Int

    fileprivate var key: SubscriptionKey {
        SubscriptionKey(connection, group.kind, partition: group.partition, shard: group.shard)
    }
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

    func index(_ connection: Connection, kind: UInt16, partition: Int, shard: Int) -> Int? {
        places[SubscriptionKey(connection, kind, partition: partition, shard: shard)]
    }

    mutating func credit(_ connection: Connection, kind: UInt16, partition: Int, shard: Int, bytes: Int) {
        guard let index = index(connection, kind: kind, partition: partition, shard: shard) else { return }
        readers[index].credit += bytes
        lookedInVain = 0
    }

    mutating func spend(_ bytes: Int, at index: Int) { readers[index].credit -= bytes }

    mutating func append(_ reader: CatchUpReader) {
        lookedInVain = 0
        places[reader.key] = readers.count
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
        if index < readers.count {
            readers[index] = last
            places[last.key] = index
        }
        return reader
    }

    mutating func endBootstrap(at index: Int) { readers[index].isBootstrapping = false }
}

extension Shard {
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
            if hasRoom(catchUps.readers[index], share) {
                catchUps.lookedInVain = 0
                budget -= step(index, share)
            } else {
                catchUps.lookedInVain += 1
            }
        }
        dismissSlowReaders()
        // Only after sending is it known whose queue has room: above `queueLow` the transport reports when it has drained.
        sendNow()
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

    private func hasRoom(_ reader: CatchUpReader, _ share: Int) -> Bool {
        reader.group.shard == number
            ? transport.unsent(reader.connection).bytes <= share && !isStarting(reader)
            : reader.credit > 0 && mail.hasRoom(for: ServerLimits.slicesOfAStep, to: reader.group.shard)
    }

    /// SUBSCRIBED has not been sent yet.
    private func isStarting(_ reader: CatchUpReader) -> Bool {
        context.shards > 1
            && sessions[reader.connection.slot].subscriptions[reader.group.kind]?.starting != nil
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
        let bytes = slices.bytes
        for index in 0..<slices.count { send(slices[index], to: reader) }
        if reader.group.shard != number { catchUps.spend(bytes, at: index) }
        if reader.isBootstrapping, progress.rounds > 0 {
            catchUps.endBootstrap(at: index)
            endBootstrap(reader, progress)
        }
        if progress.live { goLive(index) }
        return bytes
    }

    private mutating func send(_ slice: Slice, to reader: CatchUpReader) {
        guard reader.group.shard == number else {
            return mail.send(Answer(retaining: slice, of: reader), to: reader.group.shard)
        }
        counters.caughtUp += UInt64(slice.frames)
        countBootstrapped(reader.connection.slot, reader.group.kind, frames: slice.frames)
        // Weight 0: notifications of a catch-up do not count against the buffer (R5).
        let queued = transport.send(
            reader.connection, segment: slice.segment, offset: slice.offset, bytes: slice.bytes, weight: 0)
        if !queued { dismissSoon(reader.connection, "the server has no memory to queue its catch-up: subscribe again") }
    }

    private mutating func endBootstrap(_ reader: CatchUpReader, _ progress: CatchUpProgress) {
        let partition = reader.group.partition
        if reader.group.shard == number {
            noteBootstrapped(
                reader.connection.slot, reader.group.kind, reader.group.class, partition, sequence: progress.sequence)
        } else {
            let remote = RemoteReader(reader)
            tell(reader.group.shard) { home in
                home.notePartBootstrapped(
                    remote, partition: partition, sequence: progress.sequence)
            }
        }
    }

    /// A partition's part is through. BOOTSTRAP_END comes when every partition's is (R3).
    mutating func noteBootstrapped(
        _ slot: Int, _ kind: UInt16, _ class: Int, _ partition: Int, sequence: UInt64
    ) {
        guard var bootstrap = sessions[slot].subscriptions[kind]?.bootstrap else { return }
        bootstrap.partitionsLeft -= 1
        bootstrap.sequences[partition] = sequence
        sessions[slot].subscriptions[kind]?.bootstrap = bootstrap.partitionsLeft > 0 ? bootstrap : nil
        guard bootstrap.partitionsLeft == 0 else { return }
        sessions[slot].bootstraps -= 1
        reply(
            slot, stream: 0,
            BootstrapEnd(
                kind: kind, klass: UInt16(`class`), count: bootstrap.frames, token: token(bootstrap.sequences)))
    }

    /// Notifications are queued that stand in front of the kind's BOOTSTRAP_END, if that is still to come.
    mutating func countBootstrapped(_ slot: Int, _ kind: UInt16, frames: Int) {
        guard sessions[slot].bootstraps > 0 else { return }
        sessions[slot].subscriptions[kind]?.bootstrap?.frames += UInt64(frames)
    }

    private mutating func goLive(_ index: Int) {
        let reader = endCatchUp(at: index)
        feed(
            LiveReader(connection: reader.connection, notifications: reader.notifications, serial: reader.serial),
            reader.group)
        guard reader.group.shard != number else {
            return notePartsBehind(reader.connection.slot, reader.group.kind, by: -1)
        }
        let remote = RemoteReader(reader)
        tell(reader.group.shard) { home in home.notePartLive(remote, partition: reader.group.partition) }
    }

    /// The subscription of a connection here is behind in more partitions, or in fewer.
    mutating func notePartsBehind(_ slot: Int, _ kind: UInt16, by parts: Int) {
        guard let before = sessions[slot].subscriptions[kind]?.partsBehind else { return }
        sessions[slot].subscriptions[kind]?.partsBehind = before + parts
        if before == 0 { counters.subscriptionsBehind += 1 }
        if before + parts == 0 { counters.subscriptionsBehind -= 1 }
    }

    /// From here on the reader gets what the partition's flushes change.
    mutating func feed(_ reader: LiveReader, _ group: ReaderGroup) {
        partitions[group.partition].readers[group.shard].add(reader, kind: group.kind, class: group.class)
    }

    mutating func stopFeeding(_ connection: Connection, _ group: ReaderGroup) {
        partitions[group.partition].readers[group.shard].remove(connection, kind: group.kind, class: group.class)
    }

    @discardableResult
    mutating func endCatchUp(at index: Int) -> CatchUpReader {
        let reader = catchUps.remove(at: index)
        partitions[reader.group.partition].engine.end(reader.catchUp)
        return reader
    }

    /// What one more catch-up of the kind may take: two bits for each row that there is now.
    func catchUpBytes(_ kind: UInt16) -> Int {
        partitions.numbers.reduce(0) { $0 + catchUpBytes(kind, in: $1) }
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
        if group.shard != number {
            tell(group.shard) { home in
                home.notePartBehind(
                    reader.connection, kind: group.kind, class: group.class, partition: group.partition,
                    serial: reader.serial)
            }
        }
        guard admitsCatchUp(bytes: catchUpBytes(group.kind, in: group.partition)) else {
            if dismissSoon(reader, group, Shard.catchUpsAreFull) { counters.catchUpsRefused += 1 }
            return
        }
        do {
            let catchUp = try partitions[group.partition].engine.beginEmptyCatchUp(
                kind: group.kind, LiveReaders.classes[group.class])
            counters.movedToCatchUp += 1
            if group.shard == number { notePartsBehind(reader.connection.slot, group.kind, by: 1) }
            startCatchUp(reader, group, catchUp, isBootstrapping: false)
        } catch {
            dismissSoon(reader, group, "the server has no memory for its catch-up: subscribe again later")
        }
    }

    /// Sends away a reader wherever its connection is.
    /// - Returns: false if it is to go already, as far as is known here.
    @discardableResult
    private mutating func dismissSoon(_ reader: LiveReader, _ group: ReaderGroup, _ sentence: String) -> Bool {
        if group.shard == number { return dismissSoon(reader.connection, sentence) }
        tell(group.shard) { home in
            if home.sessions.isAlive(reader.connection) { home.dismissSoon(reader.connection, sentence) }
        }
        return true
    }

    mutating func startCatchUp(
        _ reader: LiveReader, _ group: ReaderGroup, _ catchUp: CatchUp, isBootstrapping: Bool
    ) {
        catchUps.append(
            CatchUpReader(
                connection: reader.connection, group: group, notifications: reader.notifications, catchUp: catchUp,
                bytes: catchUpBytes(group.kind, in: group.partition), isBootstrapping: isBootstrapping,
                serial: reader.serial, credit: isBootstrapping ? 0 : ServerLimits.catchUpCredit))
        peaks.catchUpBytes = max(peaks.catchUpBytes, catchUps.bytes)
    }

    static var catchUpsAreFull: String {
        "catch-ups take as much memory as they may (--catch-up-max-mb): subscribe again when others have theirs behind them"
    }

    /// Of the last installed flushes, as far as is known here.
    var sequences: [UInt64] {
        (0..<partitions.count).map {
            partitions.owner(of: $0) == number ? partitions[$0].engine.sequence : knownSequences[$0]
        }
    }

    /// The point in the history that everything up to these flushes makes, one sequence a partition (R4).
    func token(_ sequences: [UInt64]) -> [UInt8] { Token(lineage: context.lineage, sequences: sequences).bytes }
}

extension RemoteReader {
    /// As its connection's shard knows it.
    init(_ reader: CatchUpReader) {
        self.init(
            shard: reader.group.shard, connection: reader.connection, kind: reader.group.kind,
            class: reader.group.class, serial: reader.serial, notifications: reader.notifications)
    }
}
