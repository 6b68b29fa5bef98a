/// The kinds of a server: number <-> definition. A value: a copy is a snapshot, and a failed change is undone by
/// keeping the copy made before it.
public struct KindRegistry: Sendable {
    public struct Entry: Sendable {
        public let kind: UInt16
        public let layout: KindLayout
        public var definition: KindDefinition { layout.definition }
    }

    /// Kind n is at n - 1.
    private var entries: [Entry] = []
    private var numbers: [String: UInt16] = [:]

    public init() {}

    public var count: Int { entries.count }

    /// Registers a kind (K1). The registered definition again, or a prefix of its fields (an older client), changes
    /// nothing and returns the registered kind. Numbers are given from 1 upwards; a new kind has schema version 1.
    /// - Throws: what `KindDefinition.validate()` throws; `reservedName`; `schemaConflict`, with the first difference;
    ///   `limitReached` after 65,535 kinds.
    public mutating func register(_ definition: KindDefinition) throws(SchemaError) -> (kind: UInt16, isNew: Bool) {
        try definition.validate()
        guard !definition.name.utf8.starts(with: SchemaLimits.reservedPrefix.utf8) else {
            throw SchemaError(
                .reservedName,
                "kind '\(definition.name)': names that begin with convergedb_ are the server's own: choose another",
                part: .name)
        }
        if let kind = numbers[definition.name] {
            if let conflict = entries[Int(kind) - 1].definition.conflict(with: definition) { throw conflict }
            return (kind, false)
        }
        guard entries.count < SchemaLimits.kinds else {
            throw SchemaError(
                .limitReached, "kind '\(definition.name)': this server already has 65,535 kinds, which is the limit")
        }
        var first = definition
        first.schema = 1
        let kind = UInt16(entries.count + 1)
        entries.append(Entry(kind: kind, layout: try KindLayout(first)))
        numbers[definition.name] = kind
        return (kind, true)
    }

    /// Nil for 0 and for numbers not given yet.
    public subscript(kind: UInt16) -> Entry? {
        kind != 0 && Int(kind) <= entries.count ? entries[Int(kind) - 1] : nil
    }

    public func kind(named name: String) -> UInt16? { numbers[name] }

    /// In the order of their numbers.
    public var all: [(kind: UInt16, definition: KindDefinition)] { entries.map { ($0.kind, $0.definition) } }
}
