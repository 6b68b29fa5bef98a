import ConvergeTransport

/// Who holds which source id (L1).
struct SourceTable {
    struct Holder {
        let shard: Int
        let connection: Connection
        /// Session id of its CONNECT; 0: none.
        let session: UInt128
        let shared: Bool
    }

    private var holders: [[Holder]] = Array(repeating: [], count: 64)

    func holders(of source: UInt8) -> [Holder] { holders[Int(source)] }

    mutating func claim(_ source: UInt8, _ holder: Holder) { holders[Int(source)].append(holder) }

    mutating func release(_ source: UInt8, by connection: Connection, on shard: Int) {
        guard source < 64 else { return }
        holders[Int(source)].removeAll { $0.connection == connection && $0.shard == shard }
    }

    enum Claim {
        /// It is free for the claimant, once these connections have been replaced.
        case granted(replacing: [Holder])
        case heldBySomeone
    }

    /// Whether a claimant may have the source: the same session, or `takeover`, replaces; `shared` on all sides joins.
    func judge(_ source: UInt8, session: UInt128, shared: Bool, takeover: Bool) -> Claim {
        var replaced: [Holder] = []
        for holder in holders[Int(source)] {
            if takeover || (session != 0 && holder.session == session) {
                replaced.append(holder)
            } else if !(shared && holder.shared) {
                return .heldBySomeone
            }
        }
        return .granted(replacing: replaced)
    }
}
