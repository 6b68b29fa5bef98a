import ConvergeTransport

/// Who holds which source id (L1).
struct SourceTable {
    struct Holder {
        let connection: Connection
        /// Session id of its CONNECT; 0: none.
        let session: UInt128
        let shared: Bool
    }

    private var holders: [[Holder]] = Array(repeating: [], count: 64)
    private var lastWriteTurns: [UInt64] = Array(repeating: 0, count: 64)

    func holders(of source: UInt8) -> [Holder] { holders[Int(source)] }

    mutating func claim(_ source: UInt8, _ holder: Holder) { holders[Int(source)].append(holder) }

    mutating func release(_ source: UInt8, by connection: Connection, lastWriteTurn: UInt64) {
        guard source < 64 else { return }
        holders[Int(source)].removeAll { $0.connection == connection }
        lastWriteTurns[Int(source)] = max(lastWriteTurns[Int(source)], lastWriteTurn)
    }

    /// Turn of the last write by connections that have released the source.
    func lastWriteTurn(of source: UInt8) -> UInt64 { lastWriteTurns[Int(source)] }

    enum Claim: Equatable {
        /// It is free for the claimant, once these connections have been replaced.
        case granted(replacing: [Connection])
        case heldBySomeone
    }

    /// Whether a claimant may have the source: the same session, or `takeover`, replaces; `shared` on all sides joins.
    func judge(_ source: UInt8, session: UInt128, shared: Bool, takeover: Bool) -> Claim {
        var replaced: [Connection] = []
        for holder in holders[Int(source)] {
            if takeover || (session != 0 && holder.session == session) {
                replaced.append(holder.connection)
            } else if !(shared && holder.shared) {
                return .heldBySomeone
            }
        }
        return .granted(replacing: replaced)
    }
}
