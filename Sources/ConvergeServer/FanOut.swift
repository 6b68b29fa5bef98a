import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// R5. A live reader's buffer counts what is unsent from earlier flushes when the next is queued. Over it: disconnected. A
/// flush that is larger than the buffer by itself is delivered by catch-up; what all partitions flush in a turn is one to it,
/// and once it is larger than the buffer the rest of it is. The buffer does not apply during catch-up: a
/// subscription that is behind in another partition gets what is too much for it by catch-up in this one, too.
extension Shard {
    /// Before install: takes out of the kind's live readers those that are too slow, and those the flush is too large for.
    /// - Parameters:
    ///   - frames: of this partition's flush and those before it in the turn.
    ///   - bytes: of the same.
    mutating func setAside(_ group: ReaderGroup, frames: Int, bytes: Int) {
        var index = partitions[group.partition].readers[group.shard][group.kind, group.class].count
        while index > 0 {
            index -= 1
            let reader = partitions[group.partition].readers[group.shard][group.kind, group.class][index]
            // What is unsent elsewhere is known there.
            if group.shard == number, let excess = excess(reader.connection.slot) {
                if isBehind(reader.connection.slot, group.kind) {
                    moveToCatchUp(reader, group)
                } else {
                    stopFeeding(reader.connection, group)
                    dismissSoon(reader.connection, excess)
                }
            } else if frames > reader.notifications || bytes > configuration.subscriberBytes {
                moveToCatchUp(reader, group)
            }
        }
    }

    /// After install: queues the flush to the readers that are left.
    mutating func fanOut() {
        dismissSlowReaders()
        for index in notifications.runs.indices {
            let run = notifications.runs[index]
            let readers = partitions[run.group.partition].readers[number][run.group.kind, run.group.class]
            for reader in readers {
                let slot = reader.connection.slot
                if context.shards > 1, sessions[slot].subscriptions[run.group.kind]?.starting != nil {
                    for slice in run.slices {
                        sessions[slot].subscriptions[run.group.kind]?.starting?.keep(notifications.slices[slice])
                    }
                    continue
                }
                for slice in run.slices { send(notifications.slices[slice], to: reader.connection) }
                countBootstrapped(reader.connection.slot, run.group.kind, frames: run.frames)
            }
            counters.delivered += UInt64(run.frames * readers.count)
        }
        notifications.removeAll()
        dismissSlowReaders()
    }

    mutating func send(_ slice: Slice, to connection: Connection) {
        let queued = transport.send(
            connection, segment: slice.segment, offset: slice.offset, bytes: slice.bytes, weight: slice.frames)
        // Sending the rest would leave a gap.
        if !queued {
            dismissSoon(connection, "the server has no memory to queue its notifications: subscribe again")
        }
    }

    /// What is unsent on the connection beyond its subscriptions' buffers, as a sentence; nil: nothing.
    func excess(_ slot: Int) -> String? {
        let unsent = transport.unsent(sessions[slot].connection)
        let notificationsMax = sessions[slot].notificationsMax
        guard unsent.weight > notificationsMax || unsent.bytes > configuration.subscriberBytes else { return nil }
        return
            "\(unsent.weight) notifications (\(unsent.bytes) bytes) of earlier flushes are still unsent; this connection's "
            + "subscriptions buffer \(notificationsMax) notifications and \(configuration.subscriberBytes) bytes: "
            + "read faster, or subscribe with a larger buffer"
    }

    /// The same when notifications come from another shard: those of one turn are taken to be of one flush.
    func remoteExcess(_ slot: Int, _ kind: UInt16) -> String? {
        let unsent = transport.unsent(sessions[slot].connection)
        let handed =
            sessions[slot].handed.turn == turn ? sessions[slot].handed : (turn: turn, notifications: 0, bytes: 0)
        let isBehind = isBehind(slot, kind)
        let isTooMany = unsent.weight - handed.notifications > sessions[slot].notificationsMax && !isBehind
        // What catch-ups may have sent does not count.
        let caughtUp = isBehind ? partitions.count * ServerLimits.catchUpCredit : 0
        guard isTooMany || unsent.bytes - handed.bytes > configuration.subscriberBytes + caughtUp else { return nil }
        return excess(slot)
    }

    /// Notifications of another shard were queued in this turn.
    mutating func countHanded(_ slot: Int, _ slice: Slice) {
        if sessions[slot].handed.turn != turn { sessions[slot].handed = (turn, 0, 0) }
        sessions[slot].handed.notifications += slice.frames
        sessions[slot].handed.bytes += slice.bytes
    }

    /// Whether the subscription is behind in any partition, as far as is known here.
    private func isBehind(_ slot: Int, _ kind: UInt16) -> Bool {
        (sessions[slot].subscriptions[kind]?.partsBehind ?? 0) > 0
    }

    /// Remembers a reader that is to be sent away before anything else is queued to it.
    /// - Returns: false if it is to go already.
    @discardableResult
    mutating func dismissSoon(_ connection: Connection, _ sentence: String) -> Bool {
        guard !sessions[connection.slot].isTooSlow else { return false }
        sessions[connection.slot].isTooSlow = true
        slowReaders.append((connection, sentence))
        return true
    }

    /// Sends them away with the reason as their last message.
    mutating func dismissSlowReaders() {
        guard !slowReaders.isEmpty else { return }
        let slow = slowReaders
        slowReaders.removeAll()
        for (connection, sentence) in slow where sessions.isAlive(connection) {
            counters.slowReaders += 1
            transport.discardUnsent(connection)
            dismiss(connection.slot, .slowReader, sentence)
        }
    }
}
