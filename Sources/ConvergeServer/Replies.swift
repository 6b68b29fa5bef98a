import ConvergeTransport
import ConvergeWire
import Synchronization

extension Shard {
    /// Queues a message behind what the connection has to be sent already.
    mutating func reply(_ slot: Int, stream: UInt16, _ message: some Message) {
        let connection = sessions[slot].connection
        let bytes = message.frameBytes
        guard let buffer = transport.reserve(connection, bytes) else {
            unsendable.append(connection)
            return
        }
        charge(slot, RequestCost.ofAnswer(bytes: bytes))
        transport.commit(connection, message.encodeFrame(stream: stream, into: buffer))
    }

    /// Answers a request with an ERROR; a fatal one ends the connection.
    mutating func refuse(
        _ slot: Int, _ code: WireErrorCode, stream: UInt16, opcode: Opcode, kind: UInt16 = 0, fatal: Bool = false,
        _ sentence: String
    ) {
        counters.requestsRefused += 1
        reply(
            slot, stream: stream,
            ErrorMessage(
                code: code, opcode: opcode.rawValue, fatal: fatal, kind: kind, repeated: 0, write: 0,
                id: EntityID(words: (0, 0, 0, 0)), message: sentence))
        if fatal { close(slot) }
    }

    /// Takes leave with a reason and closes.
    mutating func dismiss(_ slot: Int, _ reason: GoodbyeReason, _ sentence: String) {
        reply(slot, stream: 0, ServerGoodbye(reason: reason, message: sentence))
        close(slot)
    }

    /// Ends the session; what is queued has the linger to leave.
    mutating func close(_ slot: Int) {
        close(slot, lingerMicroseconds: Int64(configuration.lingerMilliseconds) * 1_000)
    }

    /// Ends the session, if it has not ended yet, and its connection after the linger at the latest; 0: at once.
    mutating func close(_ slot: Int, lingerMicroseconds: Int64) {
        let connection = sessions[slot].connection
        if sessions[slot].isAlive { endSession(slot) }
        sessions[slot].state = .closing
        // What it has written, and the source that it gives back, are on their way before its peer sees the end.
        mail.publish()
        transport.close(connection, lingerMicroseconds: lingerMicroseconds)
    }

    /// Who could not be sent a reply (no memory, or already gone) must not wait for it: its connection ends.
    mutating func closeUnsendable() {
        guard !unsendable.isEmpty else { return }
        let connections = unsendable
        unsendable.removeAll()
        for connection in connections where sessions.isAlive(connection) {
            counters.unsendable += 1
            close(connection.slot)
        }
    }

    mutating func connectionClosed(_ connection: Connection) {
        let slot = connection.slot
        guard slot < sessions.slots.count, sessions[slot].connection == connection else { return }
        // Operations name their connection by its slot: none may be left when the slot is given to another.
        if sessions[slot].lastWriteTurn == turn { applyWrites() }
        if sessions[slot].isAlive { endSession(slot) }
        sessions.free(slot)
        context.connections.subtract(1, ordering: .relaxed)
    }

    /// Gives up everything the session holds. Its writes stand: nothing is retracted.
    private mutating func endSession(_ slot: Int) {
        let connection = sessions[slot].connection
        endSubscriptions(slot)
        release(sessions[slot].source, by: connection)
        _ = takeHeld(slot)
        promise(slot, -sessions[slot].waitingBytes)
    }
}
