import ConvergeEngine
import ConvergeTransport
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

extension Shard {
    /// Answers the queries that stand one behind the other from `start` on, together: as many as can be answered now, and
    /// would be before the connection's queue or its share of the turn is full (`mustHold`).
    /// - Returns: the offset behind them; `start`: the first is for `handleRequest`.
    mutating func answerQueries(_ slot: Int, _ base: UnsafeRawPointer, _ bytes: RawSpan, from start: Int) -> Int {
        guard sessions[slot].state == .open else { return start }
        let payloadMax = sessions[slot].payloadMax
        let waits = context.shards > 1 || partitions.firstUnflushed(upTo: sessions[slot].lastWriteTurn) != nil
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
        for partition in 0..<partitions.count where partitions.owner(of: partition) != number {
            var asked: [(UInt16, Query)] = []
            queries.each(of: partition) { kind, stream, id in
                asked.append((stream, Query(kind: kind, flags: [], id: id)))
            }
            for (stream, query) in asked { askElsewhere(slot, stream, query, of: partition) }
        }
    }

    /// QUERY (R1, F3): from the installed state, after this connection's own writes if it asks.
    mutating func query(_ slot: Int, _ stream: UInt16, _ message: Query) throws(WireError) {
        guard registry[message.kind] != nil else { throw unknownKind(message.kind) }
        let partition = router.partition(of: message.id)
        if partitions.owner(of: partition) != number {
            askElsewhere(slot, stream, message, of: partition)
        } else if message.flags.contains(.afterMyWrites),
            partitions[partition].window.mayHold(sessions[slot].lastWriteTurn)
        {
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
        let bytes = encode(message, stream, into: buffer)
        transport.commit(connection, bytes)
        charge(slot, RequestCost.ofAnswer(bytes: bytes))
    }

    private func encode(_ query: Query, _ stream: UInt16, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        do {
            return try partitions[router.partition(of: query.id)].engine.encodeQuery(
                kind: query.kind, id: query.id, stream: stream, into: buffer)
        } catch {
            preconditionFailure("the kind is registered and the buffer large enough: \(error)")
        }
    }

    /// The entity is another shard's: that encodes the whole answer.
    private mutating func askElsewhere(_ slot: Int, _ stream: UInt16, _ query: Query, of partition: Int) {
        let connection = sessions[slot].connection
        let here = number
        countWaiting(slot, .query(query))
        ask(partitions.owner(of: partition)) { there in
            let remote = WaitingRequest(
                connection: connection, stream: stream, request: .remoteQuery(query, shard: here),
                lastWriteTurn: there.turn)
            if query.flags.contains(.afterMyWrites), there.partitions[partition].window.isOpen {
                there.waiting += 1
                there.partitions[partition].waiting.append(remote)
            } else {
                there.answerRemote(connection, stream, query, to: here)
            }
        }
    }

    /// Encodes the answer to another shard's query.
    mutating func answerRemote(_ connection: Connection, _ stream: UInt16, _ query: Query, to shard: Int) {
        var frame = [UInt8](repeating: 0, count: partitions.queryFrameBytesMax(kind: query.kind))
        let bytes = frame.withUnsafeMutableBytes { encode(query, stream, into: $0) }
        frame.removeSubrange(bytes...)
        tell(shard) { [frame] home in home.queryAnswered(connection, query, frame) }
    }

    private mutating func queryAnswered(_ connection: Connection, _ query: Query, _ frame: [UInt8]) {
        guard sessions.isAlive(connection) else {
            waiting -= 1
            return
        }
        let slot = connection.slot
        endWaiting(slot, .query(query))
        if let buffer = transport.reserve(connection, frame.count) {
            buffer.copyBytes(from: frame)
            transport.commit(connection, frame.count)
            charge(slot, RequestCost.ofAnswer(bytes: frame.count))
        } else {
            unsendable.append(connection)
        }
        unpark(connection)
        closeWhenAnswered(slot)
    }

    /// SYNC (W4): the barrier behind this connection's earlier writes. It never shortens a window.
    mutating func sync(_ slot: Int, _ stream: UInt16, _ message: Sync) {
        let synced = Synced(applied: sessions[slot].applied, refused: sessions[slot].refused, token: [])
        let elsewhere = sessions[slot].syncs.reduce(sessions[slot].forwardedTo) { $0 | $1.shards }
        if elsewhere != 0 {
            syncElsewhere(slot, stream, synced, elsewhere)
        } else if let partition = partitions.firstUnflushed(upTo: sessions[slot].lastWriteTurn) {
            wait(slot, stream, .sync(synced), for: partition)
        } else {
            answer(slot, stream, synced)
        }
    }

    /// Sends the barrier behind the writes that went to other shards, and waits for the windows here, too.
    private mutating func syncElsewhere(_ slot: Int, _ stream: UInt16, _ synced: Synced, _ elsewhere: UInt64) {
        lastSync += 1
        let id = lastSync
        let connection = sessions[slot].connection
        let here = number
        sessions[slot].forwardedTo = 0
        sessions[slot].syncs.append(
            PendingSync(
                id: id, stream: stream, writes: sessions[slot].writes, synced: synced,
                shards: elsewhere | 1 << UInt64(number)))
        countWaiting(slot, .sync(synced))
        for shard in 0..<context.shards where elsewhere >> UInt64(shard) & 1 != 0 {
            ask(shard) { there in there.barrier(connection, id, from: here) }
        }
        if let partition = partitions.firstUnflushed(upTo: sessions[slot].lastWriteTurn) {
            waiting += 1
            partitions[partition].waiting.append(
                WaitingRequest(
                    connection: connection, stream: 0, request: .barrier(id, shard: number),
                    lastWriteTurn: sessions[slot].lastWriteTurn))
        } else {
            barrierPassed(connection, id, [], from: number)
        }
    }

    /// Another shard's connection has written here before: answered when every window that is open now has been flushed.
    private mutating func barrier(_ connection: Connection, _ id: UInt64, from shard: Int) {
        let request = WaitingRequest(
            connection: connection, stream: 0, request: .barrier(id, shard: shard), lastWriteTurn: turn)
        guard let partition = partitions.firstUnflushed(upTo: turn) else { return passBarrier(request, id, shard) }
        waiting += 1
        partitions[partition].waiting.append(request)
    }

    mutating func passBarrier(_ request: WaitingRequest, _ id: UInt64, _ shard: Int) {
        let sequences = partitions.numbers.map { partitions[$0].engine.sequence }
        let here = number
        tellLast(shard) { home in home.barrierPassed(request.connection, id, sequences, from: here) }
    }

    private mutating func barrierPassed(
        _ connection: Connection, _ id: UInt64, _ sequences: [UInt64], from shard: Int
    ) {
        if shard != number { learn(sequences, of: shard) }
        guard sessions.isAlive(connection),
            let index = sessions[connection.slot].syncs.firstIndex(where: { $0.id == id })
        else { return }
        let slot = connection.slot
        sessions[slot].syncs[index].shards &= ~(1 << UInt64(shard))
        guard sessions[slot].syncs[index].shards == 0 else { return }
        let sync = sessions[slot].syncs.remove(at: index)
        endWaiting(slot, .sync(sync.synced))
        answer(slot, sync.stream, sync.synced)
        unpark(connection)
        closeWhenAnswered(slot)
    }

    /// Sequences of another shard's partitions.
    mutating func learn(_ sequences: [UInt64], of shard: Int) {
        for (partition, sequence) in zip(stride(from: shard, to: partitions.count, by: context.shards), sequences) {
            knownSequences[partition] = max(knownSequences[partition], sequence)
        }
    }

    /// Refusals are reported before the reply that counts them, as far as their limit allows.
    mutating func answer(_ slot: Int, _ stream: UInt16, _ synced: Synced) {
        sendHeldReport(slot)
        var synced = synced
        synced.token = token(sequences)
        reply(slot, stream: stream, synced)
    }
}
