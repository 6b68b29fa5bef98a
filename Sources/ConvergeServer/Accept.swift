import ConvergeTransport
import ConvergeWire
import Synchronization

extension Shard {
    mutating func accept(_ connection: Connection) {
        sessions.open(connection)
        peaks.connections = max(peaks.connections, sessions.count)
        let connections = context.connections.add(1, ordering: .relaxed).newValue
        guard connections <= configuration.connectionsMax else { return turnAway(connection.slot) }
        awaitGreeting(connection)
    }

    /// The transport takes a few connections more than there may be, so that who comes too late is told why. When those
    /// places are taken too, the rest wait in the listen backlog until one is free.
    private mutating func turnAway(_ slot: Int) {
        counters.turnedAway += 1
        refuse(
            slot, .limitReached, stream: 0, opcode: .connect, fatal: true,
            "this server serves at most \(configuration.connectionsMax) connections, and has as many: close some, or raise "
                + "--connections-max")
    }
}
