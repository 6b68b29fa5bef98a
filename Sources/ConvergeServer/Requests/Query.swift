import ConvergeEngine
import ConvergeWire

/// What may still be added to a group of queries, all answers taken to be as long as they can be. The first always may: the
/// connection's bounds were looked at before it.
struct QueryBounds {
    private let cost: Int
    private let bytes: Int
    private var spent = 0
    private(set) var room = 0

    /// - Parameters:
    ///   - cost: what the connection may still spend in this turn.
    ///   - bytes: what its queue may still take before a further request is held.
    init(cost: Int, bytes: Int) {
        self.cost = cost
        self.bytes = bytes
    }

    mutating func take(_ frameBytes: Int) -> Bool {
        let spent =
            spent + RequestCost.estimate(.query, payloadBytes: 0) + RequestCost.ofAnswer(bytes: frameBytes)
        guard room == 0 || (spent <= cost && room <= bytes && room + frameBytes <= ServerLimits.queryGroupBytes) else {
            return false
        }
        room += frameBytes
        self.spent = spent
        return true
    }
}

extension Server {
    /// Answers the queries that stand one behind the other from `start` on, together: as many as can be answered now, and
    /// would be before the connection's queue or its share of the turn is full (`mustHold`).
    /// - Returns: the offset behind them; `start`: the first is for `handleRequest`.
    mutating func answerQueries(_ slot: Int, _ base: UnsafeRawPointer, _ bytes: RawSpan, from start: Int) -> Int {
        guard sessions[slot].state == .open else { return start }
        let payloadMax = sessions[slot].payloadMax
        let waits = partitions.firstUnflushed(upTo: sessions[slot].lastWriteTurn) != nil
        var bounds = QueryBounds(
            cost: costLeft(slot), bytes: ServerLimits.repliesMax - transport.unsent(sessions[slot].connection).bytes)
        var offset = start
        var kind: UInt16 = 0
        var frameBytes = 0
        queries.removeAll()
        while queries.count < QueryGroup.capacity,
            case .frame(let header) = cutFrame(bytes, at: offset, payloadMax: payloadMax)
        {
            let payload = offset + FrameHeader.bytes
            guard let query = Query.InPlace(header, bytes, payload: payload) else { break }
            if waits, query.flags.contains(.afterMyWrites) { break }
            if kind != query.kind {
                kind = query.kind
                frameBytes = partitions.queryFrameBytesMax(kind: kind)
            }
            guard frameBytes > 0, bounds.take(frameBytes) else { break }
            queries.append(kind: kind, stream: header.stream, id: base + query.idOffset)
            offset = payload + header.payloadBytes
        }
        if queries.count > 0 { answerGroup(slot, room: bounds.room) }
        return offset
    }

    private mutating func answerGroup(_ slot: Int, room: Int) {
        let connection = sessions[slot].connection
        counters.requests += UInt64(queries.count)
        charge(slot, queries.count * RequestCost.estimate(.query, payloadBytes: 0))
        guard let buffer = transport.reserve(connection, room) else {
            unsendable.append(connection)
            return
        }
        queries.sort(router)
        let bytes = partitions.encodeQueries(queries, into: buffer)
        transport.commit(connection, bytes)
        charge(slot, RequestCost.ofAnswer(bytes: bytes))
    }

    /// QUERY (R1, F3): from the installed state, after this connection's own writes if it asks.
    mutating func query(_ slot: Int, _ stream: UInt16, _ message: Query) throws(WireError) {
        guard registry[message.kind] != nil else { throw unknownKind(message.kind) }
        let partition = router.partition(of: message.id)
        if message.flags.contains(.afterMyWrites), partitions[partition].window.mayHold(sessions[slot].lastWriteTurn) {
            wait(slot, stream, .query(message), for: partition)
        } else {
            answer(slot, stream, message)
        }
    }

    mutating func answer(_ slot: Int, _ stream: UInt16, _ message: Query) {
        let connection = sessions[slot].connection
        guard let buffer = transport.reserve(connection, partitions.queryFrameBytesMax(kind: message.kind)) else {
            unsendable.append(connection)
            return
        }
        do {
            let bytes = try partitions[router.partition(of: message.id)].engine.encodeQuery(
                kind: message.kind, id: message.id, stream: stream, into: buffer)
            transport.commit(connection, bytes)
            charge(slot, RequestCost.ofAnswer(bytes: bytes))
        } catch {
            preconditionFailure("the kind is registered and the buffer large enough: \(error)")
        }
    }

    /// SYNC (W4): the barrier behind this connection's earlier writes. It never shortens a window.
    mutating func sync(_ slot: Int, _ stream: UInt16, _ message: Sync) {
        let synced = Synced(applied: sessions[slot].applied, refused: sessions[slot].refused, token: [])
        if let partition = partitions.firstUnflushed(upTo: sessions[slot].lastWriteTurn) {
            wait(slot, stream, .sync(synced), for: partition)
        } else {
            answer(slot, stream, synced)
        }
    }

    /// Refusals are reported before the reply that counts them, as far as their limit allows.
    mutating func answer(_ slot: Int, _ stream: UInt16, _ synced: Synced) {
        sendHeldReport(slot)
        var synced = synced
        synced.token = token(partitions.sequences)
        reply(slot, stream: stream, synced)
    }
}
