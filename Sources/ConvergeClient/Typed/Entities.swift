import ConvergeSchema
public import ConvergeWire

/// The entities of a typed kind, on one client.
///
///     let players = try await client.register(Player.self)
///     try await players.assert(.text("ada"), Player(zone: "harbour", health: 100))
///     try await players.patch(.text("ada")) { $0.health = 80 }
public struct Entities<Root: TypedKind>: Sendable {
    public let client: Client
    public let kind: Kind

    /// Declares the whole state of an entity (W1). As `Client.assert`.
    ///
    /// - Throws: `invalid` when a string, bytes or array is longer than its max, naming it; `closed`.
    @discardableResult
    public func assert(_ id: EntityID, _ value: Root) async throws(ClientError) -> UInt64 {
        try await client.assert(kind, id, row: encode(value))
    }

    /// Replaces the fields that `set` assigns to (W2). As `Client.patch`.
    ///
    /// - Throws: as `assert`; `invalid` when `set` assigns to a property that is not in the schema.
    @discardableResult
    public nonisolated(nonsending) func patch(
        _ id: EntityID, _ set: (inout TypedPatch<Root>) -> Void
    ) async throws(ClientError) -> UInt64 {
        let (mask, data) = try encodePatch(set)
        return try await client.patch(kind, id, mask: mask, data: data)
    }

    /// Withdraws this source's assertion (W3).
    @discardableResult
    public func retract(_ id: EntityID) async throws(ClientError) -> UInt64 { try await client.retract(kind, id) }

    /// The installed state of an entity, or nil when it is not alive. `Client.query` also tells of its version and sources.
    ///
    /// - Parameter afterMyWrites: wait for the flush of this connection's earlier writes first (F3).
    public func get(_ id: EntityID, afterMyWrites: Bool = false) async throws(ClientError) -> Root? {
        guard case .alive(_, _, let row) = try await client.query(kind, id, afterMyWrites: afterMyWrites) else {
            return nil
        }
        return decode(row)
    }

    /// Subscribes to the kind (R2): the changes, with typed values.
    public func subscribe(
        _ options: SubscriptionOptions = SubscriptionOptions()
    ) async throws(ClientError) -> TypedSubscription<Root> {
        TypedSubscription(self, try await client.subscribe(kind, options))
    }

    /// The typed value of a row of this kind.
    ///
    /// - Precondition: `row.kind` is this kind.
    public func decode(_ row: Row) -> Root {
        precondition(row.kind.number == kind.number, "a row of kind '\(row.kind.name)' is no '\(kind.name)'")
        let layout = kind.layout
        return row.withZones { fixed, variable in
            var value = Root()
            var start = 0
            for (ordinal, codec) in Root.schema.codecs.enumerated() {
                let unit = layout.units[ordinal]
                let end = unit == 0 ? start : start + layout.entry(of: ordinal, fixed) * unit
                codec.decode(&value, fixed, layout.offsets[ordinal], variable.extracting(start..<end))
                start = end
            }
            return value
        }
    }

    func encode(_ value: Root) throws(ClientError) -> [UInt8] {
        var fixed: [UInt8] = []
        fixed.reserveCapacity(kind.layout.fixedBytes)
        var variable: [UInt8] = []
        for (ordinal, codec) in Root.schema.codecs.enumerated() {
            do throws(ValueTooLong) {
                try codec.encode(value, &fixed, &variable)
            } catch {
                throw tooLong(ordinal, error)
            }
        }
        // The server's kind may have more fields than this program knows (K1).
        fixed.append(contentsOf: repeatElement(0, count: kind.layout.fixedBytes - fixed.count))
        return variable.isEmpty ? fixed : fixed + variable
    }

    func encodePatch(
        _ set: (inout TypedPatch<Root>) -> Void
    ) throws(ClientError) -> (mask: UInt64, data: [UInt8]) {
        var patch = TypedPatch<Root>()
        set(&patch)
        guard !patch.setsOther else {
            throw ClientError(
                .invalid,
                "the patch sets a property of \(Root.self) that is no field of kind '\(kind.name)': add it to the schema"
            )
        }
        var fixed: [UInt8] = []
        var variable: [UInt8] = []
        for ordinal in Ordinals(patch.mask) {
            do throws(ValueTooLong) {
                try Root.schema.codecs[ordinal].encode(patch.values, &fixed, &variable)
            } catch {
                throw tooLong(ordinal, error)
            }
        }
        return (patch.mask, variable.isEmpty ? fixed : fixed + variable)
    }

    private func tooLong(_ ordinal: Int, _ fault: ValueTooLong) -> ClientError {
        var slot = Slot(Root.schema.definition.fields[ordinal])
        if let element = fault.element { slot = slot.element(element) }
        if let member = fault.member { slot = slot.member(member) }
        return ClientError(slot.tooLong(fault.count))
    }
}

extension Client {
    /// Registers a typed kind, or finds it registered (K1), as `register(_: KindDefinition)`.
    ///
    /// - Throws: as there.
    public func register<Root: TypedKind>(_: Root.Type) async throws(ClientError) -> Entities<Root> {
        do throws(SchemaError) { try Root.schema.validate() } catch { throw ClientError(error) }
        let definition = Root.schema.definition
        let kind = try await register(definition)
        guard kind.definition.fields.starts(with: definition.fields) else {
            throw violate("it took kind '\(definition.name)' and has it with other fields")
        }
        return Entities(client: self, kind: kind)
    }
}

extension WriteBatch {
    /// - Throws: as `Entities.assert`; the batch stays as it was.
    public mutating func assert<Root>(_ entities: Entities<Root>, _ id: EntityID, _ value: Root) throws(ClientError) {
        assert(entities.kind, id, row: try entities.encode(value))
    }

    /// - Throws: as `Entities.patch`; the batch stays as it was.
    public mutating func patch<Root>(
        _ entities: Entities<Root>, _ id: EntityID, _ set: (inout TypedPatch<Root>) -> Void
    ) throws(ClientError) {
        let (mask, data) = try entities.encodePatch(set)
        patch(entities.kind, id, mask: mask, data: data)
    }

    public mutating func retract<Root>(_ entities: Entities<Root>, _ id: EntityID) { retract(entities.kind, id) }
}
