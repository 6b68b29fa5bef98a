import ConvergeWire

/// What a query found (R1).
public enum EntityState: Sendable {
    case alive(version: UInt64, sourceSet: UInt64, row: Row)
    /// Retracted by everybody; the version that its deletion was given. Forgotten after a while.
    case tombstone(version: UInt64)
    case notFound
}

extension Client {
    /// The installed state of an entity.
    ///
    /// - Parameter afterMyWrites: wait for the flush of this connection's earlier writes first (F3).
    public func query(
        _ kind: Kind, _ id: EntityID, afterMyWrites: Bool = false
    ) async throws(ClientError) -> EntityState {
        let query = Query(kind: kind.number, flags: afterMyWrites ? .afterMyWrites : [], id: id)
        let result = try await request(query, QueryResult.self)
        switch QueryResult.Status(rawValue: result.status) {
        case .alive:
            let row: Row
            do {
                row = try Row(kind, result.data, 0..<result.data.count, fixedBytes: Int(result.fixedBytes))
            } catch {
                core.beginClosing(Goodbye(mode: 0))
                throw error
            }
            return .alive(version: result.version, sourceSet: result.sourceSet, row: row)
        case .tombstone: return .tombstone(version: result.version)
        case .notFound: return .notFound
        case nil: throw violate("a query was answered with status \(result.status)")
        }
    }
}
