import ConvergeTransport
import ConvergeWire

/// A request that is answered when all partitions have been flushed in which its connection's earlier writes may be. It waits
/// in one of them, and then in the next.
struct WaitingRequest {
    enum Request {
        /// The counts are those of the moment it came.
        case sync(Synced)
        case query(Query)
        /// Of a connection on another shard.
        case remoteQuery(Query, shard: Int)
        /// The part of a SYNC that is here; its connection may be on another shard.
        case barrier(UInt64, shard: Int)

        /// It waits for whatever partition, not for one alone.
        var isBarrier: Bool {
            switch self {
            case .sync, .barrier: true
            case .query, .remoteQuery: false
            }
        }
    }

    let connection: Connection
    let stream: UInt16
    let request: Request
    /// The connection's last write before it.
    let lastWriteTurn: UInt64
}

extension Shard {
    mutating func wait(_ slot: Int, _ stream: UInt16, _ request: WaitingRequest.Request, for partition: Int) {
        countWaiting(slot, request)
        partitions[partition].waiting.append(
            WaitingRequest(
                connection: sessions[slot].connection, stream: stream, request: request,
                lastWriteTurn: sessions[slot].lastWriteTurn))
    }

    /// A request of a connection here waits, for a flush or for another shard.
    mutating func countWaiting(_ slot: Int, _ request: WaitingRequest.Request) {
        sessions[slot].waiting += 1
        promise(slot, answerBytes(request))
        waiting += 1
        peaks.waiting = max(peaks.waiting, waiting)
    }

    mutating func endWaiting(_ slot: Int, _ request: WaitingRequest.Request) {
        waiting -= 1
        sessions[slot].waiting -= 1
        promise(slot, -answerBytes(request))
    }

    /// So many bytes of answers more wait for a flush; less than 0: have come to an end.
    mutating func promise(_ slot: Int, _ bytes: Int) {
        promisedBytes -= sessions[slot].promisedBytes
        sessions[slot].waitingBytes += bytes
        promisedBytes += sessions[slot].promisedBytes
    }

    private func answerBytes(_ request: WaitingRequest.Request) -> Int {
        switch request {
        case .sync, .barrier: 64
        case .query(let query), .remoteQuery(let query, _): partitions.queryFrameBytesMax(kind: query.kind)
        }
    }

    /// After a flush: who waited for it is answered, or waits for another partition's.
    mutating func answerWaiting(for partition: Int) {
        guard !partitions[partition].waiting.isEmpty else { return }
        var flushed: [WaitingRequest] = []
        swap(&flushed, &partitions[partition].waiting)
        for request in flushed {
            if request.request.isBarrier, let next = partitions.firstUnflushed(upTo: request.lastWriteTurn) {
                partitions[next].waiting.append(request)
            } else {
                answer(request)
            }
        }
    }

    private mutating func answer(_ request: WaitingRequest) {
        let slot = request.connection.slot
        switch request.request {
        case .remoteQuery(let query, let shard):
            waiting -= 1
            return answerRemote(request.connection, request.stream, query, to: shard)
        case .barrier(let id, let shard):
            waiting -= 1
            return passBarrier(request, id, shard)
        case .sync(let synced):
            guard endWaiting(request) else { return }
            answer(slot, request.stream, synced)
        case .query(let query):
            guard endWaiting(request) else { return }
            answer(slot, request.stream, query)
        }
        unpark(request.connection)
        closeWhenAnswered(slot)
    }

    /// - Returns: whether its connection is still there.
    private mutating func endWaiting(_ request: WaitingRequest) -> Bool {
        guard sessions.isAlive(request.connection) else {
            waiting -= 1
            return false
        }
        endWaiting(request.connection.slot, request.request)
        return true
    }

    /// Closes the connection of a client that has said that it goes, or has ended its side, once it is answered.
    mutating func closeWhenAnswered(_ slot: Int) {
        guard sessions[slot].state == .leaving || sessions[slot].hasEnded, sessions[slot].isAlive else { return }
        guard sessions[slot].waiting == 0, !sessions[slot].isHeld else { return }
        close(slot)
    }
}
