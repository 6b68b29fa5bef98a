/// Limits of kinds and rows (K5).
public enum SchemaLimits {
    public static let fields = 64
    public static let nameBytes = 64
    /// Bytes of a `string`, `bytes`, `varstring` or `varbytes` value.
    public static let valueBytes = 65_535
    /// Elements of an array.
    public static let elements = 1_024
    /// Members of a struct.
    public static let members = 64
    public static let rowHeaderBytes = 50
    /// Header and data of the largest possible row of a kind.
    public static let rowBytes = 1 << 20
    public static let kinds = 65_535
    public static let sources = 64
    /// Kinds whose names begin so belong to the server.
    public static let reservedPrefix = "convergedb_"
}

/// A member of a struct: a scalar, or an inline `string` or `bytes` value.
public struct MemberDefinition: Hashable, Sendable {
    public var name: String
    public var type: FieldType
    /// Most bytes of a `string` or `bytes` value, 1…65,535; 0 for every other type.
    public var max: Int

    public init(name: String, type: FieldType, max: Int = 0) {
        self.name = name
        self.type = type
        self.max = max
    }

    /// Bytes of the member in its struct.
    public var bytes: Int { type.inlineBytes(max: max) }
}

/// One field of a kind.
public struct FieldDefinition: Hashable, Sendable {
    public var name: String
    public var type: FieldType
    /// Most bytes of a `string`, `bytes`, `varstring` or `varbytes` value, 1…65,535; most elements of an `array`, 1…1,024;
    /// 0 for every other type.
    public var max: Int
    /// Bit n: source n may write the field; 0: every source may (W5).
    public var owners: UInt64
    public var onRetract: OnRetract
    /// Type of an array's elements: a scalar, `string`, `bytes` or `struct`; nil for every other type.
    public var element: FieldType?
    /// Most bytes of an element that is a `string` or `bytes` value, 1…65,535; else 0.
    public var elementMax: Int
    /// Of a `struct`, or of an `array` whose elements are: 1…64; else empty.
    public var members: [MemberDefinition]

    public init(
        name: String, type: FieldType, max: Int = 0, owners: UInt64 = 0, onRetract: OnRetract = .keep,
        element: FieldType? = nil, elementMax: Int = 0, members: [MemberDefinition] = []
    ) {
        self.name = name
        self.type = type
        self.max = max
        self.owners = owners
        self.onRetract = onRetract
        self.element = element
        self.elementMax = elementMax
        self.members = members
    }

    /// Bytes of the field in the fixed zone of a row.
    public var bytes: Int { type == .structure ? memberBytes : type.inlineBytes(max: max) }

    /// Bytes in the variable zone for each one that the field's entry counts: 1 for `varstring` and `varbytes`, those of an
    /// element for an `array`; 0 for every other type.
    public var unit: Int {
        switch type {
        case .varstring, .varbytes: 1
        case .array: element == .structure ? memberBytes : element?.inlineBytes(max: elementMax) ?? 0
        default: 0
        }
    }

    private var memberBytes: Int { members.reduce(0) { $0 + $1.bytes } }
}

/// A kind: a named collection with a fixed schema.
public struct KindDefinition: Hashable, Sendable {
    public var name: String
    public var durability: Durability
    public var eventStream: Bool
    /// Schema version, 1 at first registration.
    public var schema: UInt8
    /// In ordinal order, which is that of their values in row data.
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
