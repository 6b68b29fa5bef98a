import ConvergeWire

/// What requests and their answers cost, estimated in microseconds, so that nobody's fill a turn: an estimate is the same
/// on every machine and in every run. What an answer costs in memory is bounded by the pool of replies.
struct RequestCost {
    private var turn: UInt64 = 0
    private var spent = 0

    func isUsedUp(in turn: UInt64) -> Bool { self.turn == turn && spent >= ServerLimits.turnCost }

    func spent(in turn: UInt64) -> Int { self.turn == turn ? spent : 0 }

    mutating func charge(_ cost: Int, in turn: UInt64) {
        spent = spent(in: turn) + cost
        self.turn = turn
    }

    /// Of an answer: encoded, copied into the queue, and from there into the kernel.
    static func ofAnswer(bytes: Int) -> Int { bytes / ServerLimits.answerBytesPerCost }

    /// Of a document, read or written.
    static func ofJSON(bytes: Int) -> Int { bytes / 64 }

    /// Before it is looked into. `payloadBytes` of anything that is parsed count.
    static func estimate(_ opcode: Opcode, payloadBytes: Int) -> Int {
        switch opcode {
        case .query, .sync, .heartbeat, .goodbye: 1
        case .subscribe, .unsubscribe, .getKind, .listKinds: 4
        case .createKind: 8 + payloadBytes / 64
        case .admin: 64 + ofJSON(bytes: payloadBytes)
        default: 4
        }
    }
}

extension Shard {
    mutating func charge(_ slot: Int, _ cost: Int) {
        sessions[slot].cost.charge(cost, in: turn)
        turnCost.charge(cost, in: turn)
    }

    /// What the connection may still spend in this turn: its share, or, when all together have had theirs, so little that
    /// whoever asks for little is answered in this turn, however many ask for much.
    func costLeft(_ slot: Int) -> Int {
        let spent = sessions[slot].cost.spent(in: turn)
        let left = ServerLimits.turnCostOfAll - turnCost.spent(in: turn)
        return left > 0 ? min(ServerLimits.turnCost - spent, left) : ServerLimits.turnCostLeast - spent
    }

    /// Whether the connection has had its share of the turn.
    func isUsedUp(_ slot: Int) -> Bool { sessions[slot].cost.isUsedUp(in: turn) }

    /// Whether the turn has been used up, but for requests that cost less than this one.
    func isTooMuchForTurn(_ slot: Int, _ header: FrameHeader, _ payload: RawSpan) -> Bool {
        guard turnCost.spent(in: turn) >= ServerLimits.turnCostOfAll else { return false }
        return estimate(header, payload) > costLeft(slot)
    }

    /// What the request and its answer can cost.
    private func estimate(_ header: FrameHeader, _ payload: RawSpan) -> Int {
        let request = RequestCost.estimate(header.opcode, payloadBytes: payload.byteCount)
        switch header.opcode {
        case .listKinds: return request + RequestCost.ofAnswer(bytes: min(registry.bytes, ServerLimits.kindListBytes))
        case .query, .subscribe:
            guard payload.byteCount >= 2 else { return request }
            let kind = UInt16(littleEndian: payload.unsafeLoadUnaligned(as: UInt16.self))
            return request
                + (header.opcode == .query
                    ? RequestCost.ofAnswer(bytes: partitions.queryFrameBytesMax(kind: kind)) : costOfCatchUp(kind))
        default: return request
        }
    }

    /// Of making the set of all rows of a kind.
    func costOfCatchUp(_ kind: UInt16) -> Int { catchUpBytes(kind) / ServerLimits.answerBytesPerCost }

    /// Whoever spends next does it on another account.
    mutating func endTurnCost() {
        peaks.turnCost = max(peaks.turnCost, turnCost.spent(in: turn))
        turnCost = RequestCost()
    }
}
