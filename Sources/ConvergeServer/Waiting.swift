import ConvergeTransport
import ConvergeWire

/// A request that is answered when all partitions have been flushed in which its connection's earlier writes may be. It waits
/// in one of them, and then in the next.
struct WaitingRequest {
    enum Request {
        /// The counts are those of the moment it came.
        case sync(Synced)
        case query(Query)
    }

    let connection: Connection
    let stream: UInt16
    let request: Request
    /// The connection's last write before it.
    let lastWriteTurn: UInt64
}

extension Server {
    mutating func wait(_ slot: Int, _ stream: UInt16, _ request: WaitingRequest.Request, for partition: Int) {
        sessions[slot].waiting += 1
        promise(slot, answerBytes(request))
        partitions[partition].waiting.append(
            WaitingRequest(
                connection: sessions[slot].connection, stream: stream, request: request,
                lastWriteTurn: sessions[slot].lastWriteTurn))
        waiting += 1
        peaks.waiting = max(peaks.waiting, waiting)
    }

    /// So many bytes of answers more wait for a flush; less than 0: have come to an end.
    mutating func promise(_ slot: Int, _ bytes: Int) {
        promisedBytes -= sessions[slot].promisedBytes
        sessions[slot].waitingBytes += bytes
        promisedBytes += sessions[slot].promisedBytes
    }

    private func answerBytes(_ request: WaitingRequest.Request) -> Int {
        switch request {
        case .sync: 64
        case .query(let query): partitions.queryFrameBytesMax(kind: query.kind)
        }
    }

    /// After a flush: who waited for it is answered, or waits for another partition's.
    mutating func answerWaiting(for partition: Int) {
        guard !partitions[partition].waiting.isEmpty else { return }
        var flushed: [WaitingRequest] = []
        swap(&flushed, &partitions[partition].waiting)
        for request in flushed {
            if case .sync = request.request, let next = partitions.firstUnflushed(upTo: request.lastWriteTurn) {
                partitions[next].waiting.append(request)
            } else {
                waiting -= 1
                answer(request)
            }
        }
    }

    private mutating func answer(_ request: WaitingRequest) {
        guard sessions.isAlive(request.connection) else { return }
        let slot = request.connection.slot
        sessions[slot].waiting -= 1
        promise(slot, -answerBytes(request.request))
        switch request.request {
        case .sync(let synced): answer(slot, request.stream, synced)
        case .query(let query): answer(slot, request.stream, query)
        }
        unpark(request.connection)
        closeWhenAnswered(slot)
    }

    /// Closes the connection of a client that has said that it goes, or has ended its side, once it is answered.
    mutating func closeWhenAnswered(_ slot: Int) {
        guard sessions[slot].state == .leaving || sessions[slot].hasEnded, sessions[slot].isAlive else { return }
        guard sessions[slot].waiting == 0, !sessions[slot].isHeld else { return }
        close(slot)
    }
}
