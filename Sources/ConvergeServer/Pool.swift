import ConvergeTransport
import ConvergeWire

/// Memory that connections share. At three quarters of it, who holds most goes, until five eighths: whoever comes next
/// finds a quarter free, and going through the connections is paid for by what they have filled since.
///
///     used   0 ─────── shares get smaller ───────▶ 5/8 ◀─ who holds most goes ── 3/4 ── what one step may add ─▶ 1
///
/// Invariant: nothing is added above three quarters but what was promised before, and the step that went above it: one
/// answer, or one flush, or one turn of catch-up, or one turn of what is received.
enum Pool: Int, CaseIterable {
    /// Answers that nobody has taken yet: in send queues, and promised to requests that wait for a flush.
    case replies
    /// Notifications: the segments that are alive, whoever shares them.
    case segments
    /// Requests held of those who ask too fast.
    case held
}

/// What became of the pools since the start.
struct PoolCounts {
    struct Count {
        var peak = 0
        /// Connections that were ended because they held most.
        var relieved: UInt64 = 0
    }

    private var counts: [Count] = Array(repeating: Count(), count: Pool.allCases.count)

    subscript(pool: Pool) -> Count {
        get { counts[pool.rawValue] }
        set { counts[pool.rawValue] = newValue }
    }
}

extension Shard {
    func bytesMax(_ pool: Pool) -> Int {
        switch pool {
        case .replies: configuration.repliesBytesMax
        case .segments: configuration.segmentBytesMax
        case .held: configuration.heldBytesMax
        }
    }

    func bytesUsed(_ pool: Pool) -> Int {
        switch pool {
        case .replies: transport.queueMemory + promisedBytes
        case .segments: partitions.segmentBytes
        case .held: held.bytes
        }
    }

    func bytesComfortable(_ pool: Pool) -> Int { bytesMax(pool) / 4 * 3 }

    /// What the pool would get back, at most, if the connection ended.
    func bytesHeld(_ pool: Pool, by slot: Int) -> Int {
        let connection = sessions[slot].connection
        return switch pool {
        case .replies: transport.unsent(connection).memory + sessions[slot].promisedBytes
        case .segments: transport.unsent(connection).sharedBytes
        case .held: sessions[slot].held.count
        }
    }

    /// Notes how full the pool is, and makes room when it is time. Not in the middle of a request.
    mutating func relieve(_ pool: Pool) {
        let used = bytesUsed(pool)
        pools[pool].peak = max(pools[pool].peak, used)
        guard used > bytesComfortable(pool) else { return }
        var holders: [(bytes: Int, slot: Int)] = []
        for slot in sessions.slots where sessions[slot].state != .free {
            let bytes = bytesHeld(pool, by: slot)
            if bytes > 0 { holders.append((bytes, slot)) }
        }
        holders.sort { $0.bytes > $1.bytes }
        for (bytes, slot) in holders {
            guard bytesUsed(pool) > bytesMax(pool) / 8 * 5 else { return }
            end(slot, holding: bytes, of: pool)
        }
    }

    /// Ends a connection for the sake of the others: with GOODBYE, if that gives back most of what it holds. Behind a
    /// message that is under way and as large as that nobody would wait for it: then the connection is cut.
    private mutating func end(_ slot: Int, holding bytes: Int, of pool: Pool) {
        pools[pool].relieved += 1
        let connection = sessions[slot].connection
        transport.discardUnsent(connection)
        // What is promised or held is given up with the session.
        let isSmall = pool == .held || bytesHeld(pool, by: slot) - sessions[slot].promisedBytes <= bytes / 2
        if sessions[slot].isAlive, isSmall {
            dismiss(slot, .slowReader, sentence(pool, bytes))
        } else {
            close(slot, lingerMicroseconds: 0)
        }
    }

    private func sentence(_ pool: Pool, _ bytes: Int) -> String {
        let most = "and of all connections this one held most (\(bytes)): "
        return switch pool {
        case .replies:
            "answers that are not taken fill three quarters of the \(bytesMax(pool)) bytes there are for them, " + most
                + "take the answers before you ask for more"
        case .segments:
            "notifications that are not taken fill three quarters of the \(bytesMax(pool)) bytes there are for them, "
                + most + "read faster, and subscribe again"
        case .held:
            "requests that come faster than their answers are taken fill three quarters of the \(bytesMax(pool)) bytes there are "
                + "to hold them, " + most + "take the answers before you ask for more"
        }
    }
}
