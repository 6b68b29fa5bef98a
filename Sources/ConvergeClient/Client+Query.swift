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
            guard let row = Row(kind, result.data, 0..<result.data.count) else {
                throw violate(
                    "a row of kind '\(kind.name)' has \(result.data.count) bytes, not \(kind.layout.rowBytes)")
            }
            return .alive(version: result.version, sourceSet: result.sourceSet, row: row)
        case .tombstone: return .tombstone(version: result.version)
        case .notFound: return .notFound
        case nil: throw violate("a query was answered with status \(result.status)")
        }
    }
}
