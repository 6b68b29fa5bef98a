import ConvergeWire

/// What handling a request costs, estimated in microseconds, so that nobody's requests fill a turn: an estimate is the
/// same on every machine and in every run. What a request costs in bytes is bounded by the queue of its connection.
struct RequestCost {
    private var turn: UInt64 = 0
    private var spent = 0

    func isUsedUp(in turn: UInt64) -> Bool { self.turn == turn && spent >= ServerLimits.turnCost }

    func spent(in turn: UInt64) -> Int { self.turn == turn ? spent : 0 }

    mutating func charge(_ cost: Int, in turn: UInt64) {
        spent = spent(in: turn) + cost
        self.turn = turn
    }

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
    mutating func charge(_ slot: Int, _ cost: Int) { sessions[slot].cost.charge(cost, in: turn) }
}
