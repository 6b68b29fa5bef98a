import ConvergeWire

/// A reply as it came, to be decoded by whoever asked.
struct Reply: Sendable {
    let payload: [UInt8]
}

typealias ReplyContinuation = CheckedContinuation<Result<Reply, ClientError>, Never>

/// Identifies one wait, so that cancelling its task finds it.
struct WaitID: Hashable, Sendable {
    let rawValue: UInt64
}

/// The requests under way, by stream id. An id is taken again only after its reply has come, even if nobody waits for
/// it any more; ids are handed out in turn, so that a late reply is not taken for another's.
struct StreamTable {
    /// What a reply does beyond waking the one who asked.
    enum Effect: Sendable {
        case none
        case opens(SubscriptionBuffer, kind: UInt16)
        case closes(SubscriptionBuffer, kind: UInt16)
    }

    struct Request: Sendable {
        let expected: Opcode
        var effect = Effect.none
        /// nil: nobody waits.
        var waiter: (id: WaitID, continuation: ReplyContinuation)?
        var serial: UInt64 = 0
    }

    private struct Deadline {
        let at: Int64
        let stream: UInt16
        let serial: UInt64
    }

    private var requests: [UInt16: Request] = [:]
    private var last: UInt16 = 0
    private var serial: UInt64 = 0
    /// In the order in which they pass: every request waits equally long.
    private var deadlines: [Deadline] = []
    private var passed = 0
    /// Requests that somebody waits for.
    private(set) var waiting = 0

    /// nil when all 32,767 ids are taken.
    mutating func open(_ request: Request, deadline: Int64) -> UInt16? {
        guard requests.count < Int(WireLimits.streamMax) else { return nil }
        repeat { last = last == WireLimits.streamMax ? 1 : last + 1 } while requests[last] != nil
        serial += 1
        var request = request
        request.serial = serial
        requests[last] = request
        if request.waiter != nil {
            waiting += 1
            deadlines.append(Deadline(at: deadline, stream: last, serial: serial))
        }
        return last
    }

    /// Takes the request that a reply answers.
    mutating func answer(_ stream: UInt16) -> Request? {
        guard let request = requests.removeValue(forKey: stream) else { return nil }
        if request.waiter != nil { waiting -= 1 }
        return request
    }

    /// The wait ends before its reply; the id stays taken.
    mutating func abandon(_ id: WaitID) -> ReplyContinuation? {
        for (stream, request) in requests where request.waiter?.id == id { return abandon(stream) }
        return nil
    }

    private mutating func abandon(_ stream: UInt16) -> ReplyContinuation? {
        let continuation = requests[stream]?.waiter?.continuation
        requests[stream]?.waiter = nil
        if continuation != nil { waiting -= 1 }
        return continuation
    }

    /// When the next wait times out.
    mutating func nextDeadline() -> Int64? {
        while passed < deadlines.count {
            let next = deadlines[passed]
            if let request = requests[next.stream], request.serial == next.serial, request.waiter != nil {
                return next.at
            }
            passed += 1
        }
        deadlines.removeAll(keepingCapacity: true)
        passed = 0
        return nil
    }

    /// The waits whose time is over.
    mutating func expire(now: Int64) -> [ReplyContinuation] {
        var expired: [ReplyContinuation] = []
        while let at = nextDeadline(), at <= now {
            if let continuation = abandon(deadlines[passed].stream) { expired.append(continuation) }
        }
        if passed > 1024 {
            deadlines.removeFirst(passed)
            passed = 0
        }
        return expired
    }

    /// Everything under way, when the connection ends.
    mutating func removeAll() -> [Request] {
        defer {
            requests = [:]
            deadlines = []
            passed = 0
            waiting = 0
        }
        return Array(requests.values)
    }
}
