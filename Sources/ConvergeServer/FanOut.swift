import ConvergeEngine
import ConvergeTransport
import ConvergeWire

/// R5. A live reader's buffer counts what is unsent from earlier flushes when the next is queued. Over it: disconnected. A
/// flush that is larger than the buffer by itself is delivered by catch-up.
extension Server {
    /// Before install: takes out of the kind's live readers those that are too slow, and those the flush is too large for.
    mutating func setAside(kind: UInt16, class: Int, frames: Int, bytes: Int) {
        var index = readers[kind, `class`].count
        while index > 0 {
            index -= 1
            let reader = readers[kind, `class`][index]
            let slot = reader.connection.slot
            if let excess = excess(slot) {
                slowReaders.append((reader.connection, excess))
                readers.remove(reader.connection, kind: kind, class: `class`)
            } else if frames > reader.notifications || bytes > configuration.subscriberBytes {
                moveToCatchUp(reader, kind: kind, class: `class`)
            }
        }
    }

    /// After install: queues the flush to the readers that are left.
    mutating func fanOut() {
        dismissSlowReaders()
        for index in notifications.runs.indices {
            let run = notifications.runs[index]
            for reader in readers[run.kind, run.class] {
                for slice in run.slices { send(notifications.slices[slice], to: reader.connection) }
            }
            counters.delivered += UInt64(run.frames * readers[run.kind, run.class].count)
        }
        notifications.removeAll()
        dismissSlowReaders()
    }

    private mutating func send(_ slice: Slice, to connection: Connection) {
        let queued = transport.send(
            connection, segment: slice.segment, offset: slice.offset, bytes: slice.bytes, weight: slice.frames)
        // Sending the rest would leave a gap.
        if !queued {
            slowReaders.append((connection, "the server has no memory to queue its notifications: subscribe again"))
        }
    }

    /// What is unsent on the connection beyond its subscriptions' buffers, as a sentence; nil: nothing.
    private func excess(_ slot: Int) -> String? {
        let unsent = transport.unsent(sessions[slot].connection)
        let notificationsMax = sessions[slot].notificationsMax
        guard unsent.weight > notificationsMax || unsent.bytes > configuration.subscriberBytes else { return nil }
        return
            "\(unsent.weight) notifications (\(unsent.bytes) bytes) of earlier flushes are still unsent; this connection's "
            + "subscriptions buffer \(notificationsMax) notifications and \(configuration.subscriberBytes) bytes: "
            + "read faster, or subscribe with a larger buffer"
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
