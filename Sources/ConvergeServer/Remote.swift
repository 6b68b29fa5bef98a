import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// A subscription's connection, as another shard knows it.
struct RemoteReader {
    let shard: Int
    let connection: Connection
    let kind: UInt16
    let `class`: Int
    /// Tells it from an earlier subscription of the same connection and kind.
    let serial: UInt32
    let notifications: Int
}

/// What a shard answers when it has begun its part of a subscription.
struct BegunPart {
    /// Of its partitions' last installed flushes.
    let sequences: [UInt64]
    /// Rows of a bootstrap.
    let estimate: UInt64
    let refusal: WireError?
}

/// On the partitions' shard: readers whose connections are on another.
extension Shard {
    /// Begins the part of a subscription that is here: live at once, or with a catch-up that has no credit yet.
    mutating func beginPart(_ reader: RemoteReader, bootstrap: Bool) {
        let here = number
        var begun = BegunPart(
            sequences: partitions.numbers.map { partitions[$0].engine.sequence }, estimate: 0, refusal: nil)
        if bootstrap {
            do throws(WireError) {
                let catchUps = try beginCatchUps(reader.kind, reader.class)
                begun = BegunPart(
                    sequences: begun.sequences, estimate: catchUps.reduce(0) { $0 + $1.estimate }, refusal: nil)
                for (place, partition) in partitions.numbers.enumerated() {
                    startCatchUp(
                        LiveReader(reader), ReaderGroup(partition, reader), catchUps[place], isBootstrapping: true)
                }
            } catch {
                begun = BegunPart(sequences: [], estimate: 0, refusal: error)
            }
        } else {
            for partition in partitions.numbers { feed(LiveReader(reader), ReaderGroup(partition, reader)) }
        }
        tell(reader.shard) { home in home.noteBegun(reader, begun, bootstrap: bootstrap, from: here) }
    }

    /// Its connection has gone, or has ended the subscriptions.
    mutating func endParts(of connection: Connection, _ subscriptions: [(kind: UInt16, class: Int)], from shard: Int) {
        for subscription in subscriptions {
            for partition in partitions.numbers {
                endPart(
                    connection,
                    ReaderGroup(
                        partition: partition, kind: subscription.kind, class: subscription.class, shard: shard))
            }
        }
    }

    /// What was sent to a reader in catch-up has left its socket, as far as that has to drain.
    mutating func credit(_ connection: Connection, kind: UInt16, partition: Int, bytes: Int, from shard: Int) {
        catchUps.credit(connection, kind: kind, partition: partition, shard: shard, bytes: bytes)
    }

    /// Hands a flush's slices to the readers on another shard, or sets them all aside. Between seal and install.
    mutating func send(_ encoded: Slices, to group: ReaderGroup) {
        guard mail.hasRoom(for: encoded.count + partitions[group.partition].readers[group.shard].count, to: group.shard)
        else { return setAllAside(group) }
        for index in 0..<encoded.count { mail.send(Answer(retaining: encoded[index], of: group), to: group.shard) }
    }

    /// They have everything before this flush, and get it by catch-up.
    private mutating func setAllAside(_ group: ReaderGroup) {
        counters.handoversRefused += 1
        var index = partitions[group.partition].readers[group.shard][group.kind, group.class].count
        while index > 0 {
            index -= 1
            moveToCatchUp(partitions[group.partition].readers[group.shard][group.kind, group.class][index], group)
        }
    }
}

/// On the connection's shard: partitions that are on another.
extension Shard {
    /// Another shard has begun its part. When all have, the subscription begins.
    mutating func noteBegun(_ reader: RemoteReader, _ begun: BegunPart, bootstrap: Bool, from shard: Int) {
        guard let slot = slot(of: reader) else { return }
        learn(begun.sequences, of: shard)
        for partition in stride(from: shard, to: partitions.count, by: context.shards) where begun.refusal == nil {
            guard !bootstrap else { continue }
            deliveries[partition].add(LiveReader(reader), kind: reader.kind, class: reader.class)
        }
        guard var starting = sessions[slot].subscriptions[reader.kind]?.starting else { return }
        starting.left -= 1
        starting.estimate += begun.estimate
        if starting.refusal == nil { starting.refusal = begun.refusal }
        sessions[slot].subscriptions[reader.kind]?.starting = starting
        if starting.left == 0 { finishSubscribe(slot, reader.kind) }
    }

    /// The slot, if the subscription is still there.
    private func slot(of reader: RemoteReader) -> Int? {
        let slot = reader.connection.slot
        guard sessions.isAlive(reader.connection),
            sessions[slot].subscriptions[reader.kind]?.serial == reader.serial
        else { return nil }
        return slot
    }

    /// Notifications of a flush elsewhere, for the readers of the group that are here.
    mutating func deliver(_ answer: Answer) {
        let partition = Int(answer.partition)
        let slice = Slice(answer)
        for reader in deliveries[partition][answer.kind, Int(answer.class)] {
            let slot = reader.connection.slot
            if sessions[slot].subscriptions[answer.kind]?.starting != nil {
                sessions[slot].subscriptions[answer.kind]?.starting?.keep(slice)
                continue
            }
            if let excess = remoteExcess(slot, answer.kind) {
                dismissSoon(reader.connection, excess)
            } else {
                countHanded(slot, slice)
                send(slice, to: reader.connection)
                countBootstrapped(slot, answer.kind, frames: slice.frames)
                counters.delivered += UInt64(slice.frames)
            }
        }
        slice.release()
    }

    mutating func deliverCatchUp(_ answer: Answer, from shard: Int) {
        let slice = Slice(answer)
        let connection = Connection(rawValue: answer.connection)
        let slot = connection.slot
        if sessions.isAlive(connection), sessions[slot].subscriptions[answer.kind]?.serial == answer.serial {
            if sessions[slot].subscriptions[answer.kind]?.starting != nil {
                sessions[slot].subscriptions[answer.kind]?.starting?.keep(slice)
            } else if !transport.send(
                connection, segment: slice.segment, offset: slice.offset, bytes: slice.bytes, weight: 0)
            {
                dismissSoon(connection, "the server has no memory to queue its catch-up: subscribe again")
            }
            counters.caughtUp += UInt64(slice.frames)
            countBootstrapped(slot, answer.kind, frames: slice.frames)
            sessions[slot].owed.append(
                OwedCredit(kind: answer.kind, partition: Int(answer.partition), bytes: slice.bytes))
            if sessions[slot].subscriptions[answer.kind]?.starting == nil { payCredits(slot) }
        }
        slice.release()
    }

    /// Tells the partitions' shards that what they sent has left, when the queue has room again.
    mutating func payCredits(_ slot: Int) {
        guard !sessions[slot].owed.isEmpty,
            transport.unsent(sessions[slot].connection).bytes <= ServerLimits.queueLow
        else { return }
        let connection = sessions[slot].connection
        let here = number
        let owed = sessions[slot].owed
        sessions[slot].owed.removeAll(keepingCapacity: true)
        for credit in owed {
            ask(partitions.owner(of: credit.partition)) { there in
                there.credit(
                    connection, kind: credit.kind, partition: credit.partition, bytes: credit.bytes, from: here)
            }
        }
    }

    /// A partition elsewhere is through with its part of a bootstrap.
    mutating func notePartBootstrapped(_ reader: RemoteReader, partition: Int, sequence: UInt64) {
        guard let slot = slot(of: reader) else { return }
        noteBootstrapped(slot, reader.kind, reader.class, partition, sequence: sequence)
    }

    mutating func notePartLive(_ reader: RemoteReader, partition: Int) {
        guard let slot = slot(of: reader) else { return }
        notePartsBehind(slot, reader.kind, by: -1)
        deliveries[partition].add(LiveReader(reader), kind: reader.kind, class: reader.class)
    }

    /// From here on a partition elsewhere sends this reader what it has missed.
    mutating func notePartBehind(_ connection: Connection, kind: UInt16, class: Int, partition: Int, serial: UInt32) {
        guard sessions.isAlive(connection), sessions[connection.slot].subscriptions[kind]?.serial == serial else {
            return
        }
        notePartsBehind(connection.slot, kind, by: 1)
        deliveries[partition].remove(connection, kind: kind, class: `class`)
    }
}

/// Bytes of a catch-up that another shard's partition has sent, and has not been told of yet that they have left.
struct OwedCredit {
    let kind: UInt16
    let partition: Int
    let bytes: Int
}

extension Answer {
    /// Takes a reference to the slice's segment.
    init(retaining slice: Slice, of group: ReaderGroup) {
        slice.retain()
        self.init(
            what: What.notifications.rawValue, class: UInt8(group.class), partition: UInt16(group.partition),
            kind: group.kind, segment: slice.segment, offset: UInt32(slice.offset), bytes: UInt32(slice.bytes),
            frames: UInt32(slice.frames))
    }

    init(retaining slice: Slice, of reader: CatchUpReader) {
        self.init(retaining: slice, of: reader.group)
        what = What.catchUp.rawValue
        serial = reader.serial
        connection = reader.connection.rawValue
    }
}

extension Slice {
    /// With the answer's reference.
    fileprivate init(_ answer: Answer) {
        self.init(
            segment: answer.segment.unsafelyUnwrapped, offset: Int(answer.offset), bytes: Int(answer.bytes),
            frames: Int(answer.frames))
    }
}

extension LiveReader {
    init(_ reader: RemoteReader) {
        self.init(connection: reader.connection, notifications: reader.notifications, serial: reader.serial)
    }
}

extension ReaderGroup {
    init(_ partition: Int, _ reader: RemoteReader) {
        self.init(partition: partition, kind: reader.kind, class: reader.class, shard: reader.shard)
    }
}
