import ConvergeTransport
import ConvergeWire

extension Shard {
    /// Nothing more will come of a connection. A peer that has ended its side is answered what it has asked for, as long
    /// as the transport waits for that; one that was not let finish a message is told why.
    mutating func connectionEnded(_ connection: Connection, _ reason: TransportEnding?) {
        guard sessions.isAlive(connection) else { return }
        let slot = connection.slot
        switch reason {
        case .endedByPeer, nil:
            sessions[slot].hasEnded = true
            closeWhenAnswered(slot)
        case .tooMuchUnfinished:
            counters.unfinishedTooMuch += 1
            dismiss(
                slot, .limitReached,
                "unfinished messages fill three quarters of the \(configuration.unfinishedBytesMax) bytes there are for them, "
                    + "and of all connections this one held most: send a message at once and whole, or in smaller ones")
        case .messageTooLong:
            dismiss(
                slot, .limitReached,
                "a message of this connection is longer than the \(ServerLimits.frameBytes) bytes that one may have: send it "
                    + "in smaller ones")
        }
    }
}
