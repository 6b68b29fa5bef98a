import ConvergeSchema
import ConvergeWire

extension Client {
    /// Declares the whole state of an entity (W1): fields that are not named are zero.
    ///
    /// Returns when the write is queued: at once, unless more than `ClientOptions.outgoingBytes` are unsent.
    ///
    /// - Returns: the write's ordinal on this connection, as a `Refusal` names it.
    /// - Throws: `invalid` when a value does not fit its field; `closed`.
    @discardableResult
    public func assert(_ kind: Kind, _ id: EntityID, _ values: [(name: String, value: Value)]) async throws(ClientError)
        -> UInt64
    {
        try await assert(kind, id, row: kind.row(values))
    }

    /// As above, with a literal: `["gate": .string("B12"), "delay_minutes": .signed(7)]`.
    @discardableResult
    public func assert(
        _ kind: Kind, _ id: EntityID, _ values: KeyValuePairs<String, Value>
    ) async throws(ClientError) -> UInt64 {
        try await assert(kind, id, values.map { ($0.key, $0.value) })
    }

    /// As above, with row data as `kind.layout` encodes it.
    @discardableResult
    public func assert(_ kind: Kind, _ id: EntityID, row: [UInt8]) async throws(ClientError) -> UInt64 {
        try await core.write(count: 1) { outgoing in
            outgoing.encode { $0.assert(kind: kind.number, schema: kind.schema, id: id, data: row) }
        }
    }

    /// Replaces the fields named (W2); the others stay as they are, or are zero if the entity is new.
    @discardableResult
    public func patch(_ kind: Kind, _ id: EntityID, _ values: [(name: String, value: Value)]) async throws(ClientError)
        -> UInt64
    {
        let (mask, data) = try kind.masked(values)
        return try await patch(kind, id, mask: mask, data: data)
    }

    func patch(_ kind: Kind, _ id: EntityID, mask: UInt64, data: [UInt8]) async throws(ClientError) -> UInt64 {
        try await core.write(count: 1) { outgoing in
            outgoing.encode { $0.patch(kind: kind.number, schema: kind.schema, id: id, mask: mask, data: data) }
        }
    }

    @discardableResult
    public func patch(
        _ kind: Kind, _ id: EntityID, _ values: KeyValuePairs<String, Value>
    ) async throws(ClientError) -> UInt64 {
        try await patch(kind, id, values.map { ($0.key, $0.value) })
    }

    /// Withdraws this source's assertion; the entity goes when nobody asserts it (W3).
    @discardableResult
    public func retract(_ kind: Kind, _ id: EntityID) async throws(ClientError) -> UInt64 {
        try await core.write(count: 1) { outgoing in
            outgoing.encode { $0.retract(kind: kind.number, id: id) }
        }
    }

    /// Sends many writes in one frame: those for one partition land in one flush (W9). It is no transaction.
    ///
    ///     try await client.batch { batch in
    ///         for flight in flights { try batch.assert(kind, flight.id, flight.values) }
    ///     }
    ///
    /// - Returns: the ordinal of the last write.
    /// - Throws: `invalid` when a value does not fit, or the batch is larger than a frame; then nothing was sent.
    @discardableResult
    public nonisolated(nonsending) func batch(
        _ fill: (inout WriteBatch) throws(ClientError) -> Void
    ) async throws(ClientError) -> UInt64 {
        var batch = WriteBatch()
        try fill(&batch)
        return try await send(batch)
    }

    /// Sends a batch that was filled before.
    @discardableResult
    public func send(_ batch: WriteBatch) async throws(ClientError) -> UInt64 {
        guard batch.count > 0 else { return core.state.withLock { $0.writes } }
        guard batch.bytes <= server.frameBytes else {
            throw ClientError(
                .invalid,
                "the batch of \(batch.count) writes has \(batch.bytes) bytes; the server takes frames of at most "
                    + "\(server.frameBytes): send several smaller batches")
        }
        let frame = batch.frame()
        return try await core.write(count: UInt64(batch.count)) { $0.frames(frame) }
    }

    /// The barrier behind this connection's writes (W4): when it returns, every earlier write is flushed, durable as its kind
    /// says, and on its way to every subscriber, or refused.
    ///
    /// Refused writes do not make it throw: look at `SyncResult.refused`, or call `SyncResult.check()`.
    public func sync() async throws(ClientError) -> SyncResult {
        let answer = try await request(Sync(), Synced.self)
        let refusals = core.state.withLock { state in
            defer { state.refusals = [] }
            return state.refusals
        }
        return synced.withLock { last in
            // Two syncs may overlap: the later totals never count less than the earlier ones.
            defer { last = (max(last.applied, answer.applied), max(last.refused, answer.refused)) }
            return SyncResult(
                applied: answer.applied - min(last.applied, answer.applied),
                refused: answer.refused - min(last.refused, answer.refused),
                appliedTotal: answer.applied, refusedTotal: answer.refused, refusals: refusals, token: answer.token)
        }
    }
}

/// The answer to `Client.sync`.
public struct SyncResult: Sendable {
    /// Writes since the sync before.
    public let applied: UInt64
    public let refused: UInt64
    /// Writes since the connection was opened.
    public let appliedTotal: UInt64
    public let refusedTotal: UInt64
    /// The first reports since the sync before: at most 1,024, and at most 100 a second; `refused` counts all.
    public let refusals: [Refusal]
    /// A point to resume a subscription from (R4), opaque.
    public let token: [UInt8]

    /// - Throws: `refused` with the first refusal's sentence, if a write was refused.
    public func check() throws(ClientError) {
        guard refused > 0 else { return }
        let first = refusals.first
        let sentence = first?.message ?? "the server gave no reason"
        throw ClientError(
            .refused(first?.code),
            refused == 1 ? sentence : "\(refused) of \(applied + refused) writes were refused; the first: \(sentence)")
    }
}

/// Writes collected for one frame.
public struct WriteBatch: Sendable {
    private var writer = FrameWriter()

    public init() {
        writer.beginBatch()
    }

    /// Writes in it.
    public var count: Int { writer.batchItems }
    /// Bytes of the frame so far; a server takes `Client.ServerInfo.frameBytes`.
    public var bytes: Int { writer.batchBytes }

    /// - Throws: `invalid` when a value does not fit its field; the batch stays as it was.
    public mutating func assert(_ kind: Kind, _ id: EntityID, _ values: [(name: String, value: Value)])
        throws(ClientError)
    {
        assert(kind, id, row: try kind.row(values))
    }

    public mutating func assert(
        _ kind: Kind, _ id: EntityID, _ values: KeyValuePairs<String, Value>
    ) throws(ClientError) {
        try assert(kind, id, values.map { ($0.key, $0.value) })
    }

    /// With row data as `kind.layout` encodes it.
    public mutating func assert(_ kind: Kind, _ id: EntityID, row: [UInt8]) {
        writer.assert(kind: kind.number, schema: kind.schema, id: id, data: row)
    }

    public mutating func patch(_ kind: Kind, _ id: EntityID, _ values: [(name: String, value: Value)])
        throws(ClientError)
    {
        let (mask, data) = try kind.masked(values)
        patch(kind, id, mask: mask, data: data)
    }

    mutating func patch(_ kind: Kind, _ id: EntityID, mask: UInt64, data: [UInt8]) {
        writer.patch(kind: kind.number, schema: kind.schema, id: id, mask: mask, data: data)
    }

    public mutating func patch(
        _ kind: Kind, _ id: EntityID, _ values: KeyValuePairs<String, Value>
    ) throws(ClientError) {
        try patch(kind, id, values.map { ($0.key, $0.value) })
    }

    public mutating func retract(_ kind: Kind, _ id: EntityID) {
        writer.retract(kind: kind.number, id: id)
    }

    func frame() -> [UInt8] {
        var ended = writer
        ended.endBatch()
        return ended.bytes
    }
}

extension Kind {
    /// Row data for an ASSERT.
    public func row(_ values: [(name: String, value: Value)]) throws(ClientError) -> [UInt8] {
        do { return try layout.encodeRow(values) } catch { throw ClientError(error) }
    }

    fileprivate func masked(_ values: [(name: String, value: Value)]) throws(ClientError) -> (
        mask: UInt64, data: [UInt8]
    ) {
        do { return try layout.encodePatch(values) } catch { throw ClientError(error) }
    }
}
