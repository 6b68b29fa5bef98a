/// The kinds of a server: number <-> definition.
public struct KindRegistry: Sendable {
    public struct Entry: Sendable {
        public let kind: UInt16
        public let layout: KindLayout
        /// The binary definition, made once: it is asked for far more often than kinds are registered.
        public let encoded: [UInt8]
        public var definition: KindDefinition { layout.definition }
    }

    /// Kind n is at n - 1.
    private var entries: [Entry] = []
    private var numbers: [String: UInt16] = [:]
    /// Of all definitions, encoded.
    public private(set) var bytes = 0

    public init() {}

    public var count: Int { entries.count }

    /// What registering a definition comes to.
    public enum Candidate: Sendable {
        /// The registered definition again, or a prefix of its fields (an older client): nothing changes.
        case registered(Entry)
        /// To be added, once it is created everywhere else.
        case new(Entry)
    }

    /// Judges a definition (K1) and changes nothing. Numbers are given from 1 upwards.
    /// - Throws: what `KindDefinition.validate()` throws; `invalidDefinition` for another schema version than 1;
    ///   `reservedName`; `schemaConflict`, with the first difference; `limitReached` after 65,535 kinds.
    public func candidate(for definition: KindDefinition) throws(SchemaError) -> Candidate {
        try definition.validate()
        guard definition.schema == 1 else {
            throw SchemaError(
                .invalidDefinition,
                "kind '\(definition.name)' was given with schema version \(definition.schema): register it with 1, the server "
                    + "counts the versions", part: .schema)
        }
        guard !definition.name.utf8.starts(with: SchemaLimits.reservedPrefix.utf8) else {
            throw SchemaError(
                .reservedName,
                "kind '\(definition.name)': names that begin with convergedb_ are the server's own: choose another",
                part: .name)
        }
        if let kind = numbers[definition.name] {
            if let conflict = entries[Int(kind) - 1].definition.conflict(with: definition) { throw conflict }
            return .registered(entries[Int(kind) - 1])
        }
        guard entries.count < SchemaLimits.kinds else {
            throw SchemaError(
                .limitReached, "kind '\(definition.name)': this server already has 65,535 kinds, which is the limit")
        }
        return .new(
            Entry(
                kind: UInt16(entries.count + 1), layout: try KindLayout(definition), encoded: definition.encoded()))
    }

    /// Adds the latest new candidate; no other has been added since.
    public mutating func add(_ entry: Entry) {
        precondition(Int(entry.kind) == entries.count + 1, "another kind has been added since")
        entries.append(entry)
        bytes += entry.encoded.count
        numbers[entry.definition.name] = entry.kind
    }

    /// Takes the latest entry back: it could not be created everywhere.
    public mutating func removeLast() {
        let entry = entries.removeLast()
        bytes -= entry.encoded.count
        numbers[entry.definition.name] = nil
    }

    /// Registers a kind: judges it, and adds it if it is new.
    /// - Throws: as ``candidate(for:)``.
    public mutating func register(_ definition: KindDefinition) throws(SchemaError) -> (kind: UInt16, isNew: Bool) {
        switch try candidate(for: definition) {
        case .registered(let entry): return (entry.kind, false)
        case .new(let entry):
            add(entry)
            return (entry.kind, true)
        }
    }

    /// Nil for 0 and for numbers not given yet.
    public subscript(kind: UInt16) -> Entry? {
        kind != 0 && Int(kind) <= entries.count ? entries[Int(kind) - 1] : nil
    }

    public func kind(named name: String) -> UInt16? { numbers[name] }

    /// The kinds with higher numbers, in the order of their numbers; after 0: all. Costs nothing, however many they are.
    public func entries(after kind: UInt16) -> ArraySlice<Entry> { entries[min(Int(kind), entries.count)...] }
}
