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

    /// Before it is looked into. `payloadBytes` of anything that is parsed count.
    static func estimate(_ opcode: Opcode, payloadBytes: Int) -> Int {
        switch opcode {
        case .query, .sync, .heartbeat, .goodbye: 1
        case .subscribe, .unsubscribe, .getKind, .listKinds: 4
        case .createKind: 8 + payloadBytes / 64
        case .admin: 64 + payloadBytes / 64
        default: 4
        }
    }
}

extension Server {
    mutating func charge(_ slot: Int, _ cost: Int) {
        sessions[slot].cost.charge(cost, in: turn)
        turnCost.charge(cost, in: turn)
    }

    /// What the connection may still spend in this turn.
    func costLeft(_ slot: Int) -> Int {
        min(
            ServerLimits.turnCost - sessions[slot].cost.spent(in: turn),
            ServerLimits.turnCostOfAll - turnCost.spent(in: turn))
    }

    /// Whether the connection has had its share of the turn; when all together have had theirs, one request is a share.
    func isUsedUp(_ slot: Int) -> Bool {
        sessions[slot].cost.isUsedUp(in: turn)
            || (turnCost.spent(in: turn) >= ServerLimits.turnCostOfAll && sessions[slot].cost.spent(in: turn) > 0)
    }
}
