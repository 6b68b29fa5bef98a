import ConvergeTransport
import ConvergeWire

/// A request that is answered when the open window has been flushed.
struct WaitingRequest {
    enum Request {
        /// The counts are those of the moment it came.
        case sync(Synced)
        case query(Query)
    }

    let connection: Connection
    let stream: UInt16
    let request: Request
}

extension Server {
    /// Whether the open window can hold writes of this connection: they are not installed yet. Everything decoded has
    /// been applied.
    func mustWait(_ slot: Int) -> Bool {
        window.isOpen && sessions[slot].lastWriteTurn >= window.openedTurn
    }

    mutating func wait(_ slot: Int, _ stream: UInt16, _ request: WaitingRequest.Request) {
        sessions[slot].waiting += 1
        promise(slot, answerBytes(request))
        waiting.append(WaitingRequest(connection: sessions[slot].connection, stream: stream, request: request))
        peaks.waiting = max(peaks.waiting, waiting.count)
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
        case .query(let query): engine.queryFrameBytesMax(kind: query.kind)
        }
    }

    /// After a flush: everyone who waits waited for it.
    mutating func answerWaiting() {
        guard !waiting.isEmpty else { return }
        let answered = waiting
        waiting.removeAll(keepingCapacity: true)
        for request in answered where sessions.isAlive(request.connection) {
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
    }

    /// Closes the connection of a client that has said that it goes, or has ended its side, once it is answered.
    mutating func closeWhenAnswered(_ slot: Int) {
        guard sessions[slot].state == .leaving || sessions[slot].hasEnded, sessions[slot].isAlive else { return }
        guard sessions[slot].waiting == 0, !sessions[slot].isHeld else { return }
        close(slot)
    }
}
