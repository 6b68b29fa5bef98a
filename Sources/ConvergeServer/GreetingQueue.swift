import ConvergeTransport
import ConvergeWire

/// Connections that have not been answered a CONNECT, in the order of their deadlines, which is that of their accepts.
/// Who has greeted, or has gone, is passed over when its turn comes.
struct GreetingQueue {
    private var entries: [(connection: Connection, deadline: Int64)] = []
    private var first = 0

    var nextDeadline: Int64? { first < entries.count ? entries[first].deadline : nil }

    mutating func append(_ connection: Connection, deadline: Int64) {
        entries.append((connection, deadline))
    }

    /// At most twice as many entries as connections, so that those who come and go at once do not make it grow.
    mutating func dropPassed(_ isWaiting: (Connection) -> Bool) {
        entries.removeSubrange(..<first)
        first = 0
        entries.removeAll { !isWaiting($0.connection) }
    }

    var count: Int { entries.count - first }

    mutating func takeExpired(at now: Int64) -> Connection? {
        guard first < entries.count, entries[first].deadline <= now else { return nil }
        defer {
            first += 1
            if first == entries.count || first >= 1_024 {
                entries.removeFirst(first)
                first = 0
            }
        }
        return entries[first].connection
    }
}

extension Shard {
    mutating func awaitGreeting(_ connection: Connection) {
        // Each call is paid for by as many connections that have gone since the last.
        if greetings.count > 2 * sessions.count + ServerLimits.greetingsKept {
            greetings.dropPassed { sessions.isAlive($0) && sessions[$0.slot].state == .greeting }
        }
        greetings.append(connection, deadline: now + Int64(configuration.greetingMilliseconds) * 1_000)
        peaks.greetings = max(peaks.greetings, greetings.count)
    }

    mutating func expireGreetings() {
        while let connection = greetings.takeExpired(at: now) {
            guard sessions.isAlive(connection), sessions[connection.slot].state == .greeting else { continue }
            refuse(
                connection.slot, .timedOut, stream: 0, opcode: .connect, fatal: true,
                "no CONNECT came within \(configuration.greetingMilliseconds) ms: send it as the first message of a connection"
            )
        }
    }
}
