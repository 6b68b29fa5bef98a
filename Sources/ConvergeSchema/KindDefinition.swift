/// Limits of kinds and rows (K5).
public enum SchemaLimits {
    public static let fields = 64
    public static let nameBytes = 64
    /// Bytes of a `string` or `bytes` value.
    public static let valueBytes = 65_535
    public static let rowHeaderBytes = 50
    /// Header and data of the largest possible row of a kind.
    public static let rowBytes = 1 << 20
    public static let kinds = 65_535
    public static let sources = 64
    /// Kinds whose names begin so belong to the server.
    public static let reservedPrefix = "convergedb_"
}

/// One field of a kind.
public struct FieldDefinition: Hashable, Sendable {
    public var name: String
    public var type: FieldType
    /// Most bytes of a `string` or `bytes` value, 1…65,535; 0 for every other type.
    public var max: Int
    /// Bit n: source n may write the field; 0: every source may (W5).
    public var owners: UInt64
    public var onRetract: OnRetract

    public init(name: String, type: FieldType, max: Int = 0, owners: UInt64 = 0, onRetract: OnRetract = .keep) {
        self.name = name
        self.type = type
        self.max = max
        self.owners = owners
        self.onRetract = onRetract
    }

    /// Bytes of the field in a row.
    public var bytes: Int { type.fixedBytes + max }
}

/// A kind: a named collection with a fixed schema.
public struct KindDefinition: Hashable, Sendable {
    public var name: String
    public var durability: Durability
    public var eventStream: Bool
    /// Schema version, 1 at first registration.
    public var schema: UInt8
    /// In ordinal order; row data is these fields packed, in this order.
    public var fields: [FieldDefinition]

    public init(
        name: String, durability: Durability = .durable, eventStream: Bool = false, schema: UInt8 = 1,
        fields: [FieldDefinition]
    ) {
        self.name = name
        self.durability = durability
        self.eventStream = eventStream
        self.schema = schema
        self.fields = fields
    }
}
