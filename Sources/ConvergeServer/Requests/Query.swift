import ConvergeWire

extension Server {
    /// QUERY (R1, F3): from the installed state, after this connection's own writes if it asks.
    mutating func query(_ slot: Int, _ stream: UInt16, _ message: Query) throws(WireError) {
        guard registry[message.kind] != nil else { throw unknownKind(message.kind) }
        if message.flags.contains(.afterMyWrites), mustWait(slot) {
            wait(slot, stream, .query(message))
        } else {
            answer(slot, stream, message)
        }
    }

    mutating func answer(_ slot: Int, _ stream: UInt16, _ message: Query) {
        let connection = sessions[slot].connection
        guard let buffer = transport.reserve(connection, engine.queryFrameBytesMax(kind: message.kind)) else {
            unsendable.append(connection)
            return
        }
        do {
            let bytes = try engine.encodeQuery(kind: message.kind, id: message.id, stream: stream, into: buffer)
            transport.commit(connection, bytes)
            charge(slot, RequestCost.ofAnswer(bytes: bytes))
        } catch {
            preconditionFailure("the kind is registered and the buffer large enough: \(error)")
        }
    }

    /// SYNC (W4): the barrier behind this connection's earlier writes. It never shortens a window.
    mutating func sync(_ slot: Int, _ stream: UInt16, _ message: Sync) {
        let synced = Synced(applied: sessions[slot].applied, refused: sessions[slot].refused, token: [])
        if mustWait(slot) {
            wait(slot, stream, .sync(synced))
        } else {
            answer(slot, stream, synced)
        }
    }

    /// Refusals are reported before the reply that counts them, as far as their limit allows.
    mutating func answer(_ slot: Int, _ stream: UInt16, _ synced: Synced) {
        sendHeldReport(slot)
        var synced = synced
        synced.token = token(sequence: counters.sequence)
        reply(slot, stream: stream, synced)
    }
}
