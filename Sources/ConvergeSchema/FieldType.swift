/// The type of a field (K3). The numbers are those of the wire and of files.
public enum FieldType: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case u8 = 1
    case u16, u32, u64, u128
    case i8, i16, i32, i64
    case f32, f64
    case bool
    /// Inline: u16 length, then `max` bytes of UTF-8 of which those behind the length are zero.
    case string
    /// Inline: as `string`, any bytes.
    case bytes
    /// Known, not available yet: refused by `KindDefinition.validate()`.
    case varstring, varbytes, array, structure

    /// The type's name in kind files.
    public var name: String {
        switch self {
        case .u8: "u8"
        case .u16: "u16"
        case .u32: "u32"
        case .u64: "u64"
        case .u128: "u128"
        case .i8: "i8"
        case .i16: "i16"
        case .i32: "i32"
        case .i64: "i64"
        case .f32: "f32"
        case .f64: "f64"
        case .bool: "bool"
        case .string: "string"
        case .bytes: "bytes"
        case .varstring: "varstring"
        case .varbytes: "varbytes"
        case .array: "array"
        case .structure: "struct"
        }
    }

    /// The type with this name in kind files, or nil.
    public init?(name: String) {
        guard let type = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = type
    }

    public var description: String { name }

    /// Whether a field of this type declares a `max`.
    public var hasMax: Bool { self == .string || self == .bytes }

    /// Whether a kind may use the type in this version.
    public var isAvailable: Bool { rawValue <= FieldType.bytes.rawValue }

    /// Bytes of a scalar; of `string` and `bytes` those of the length before the value; 0 for types not available yet.
    public var fixedBytes: Int {
        switch self {
        case .u8, .i8, .bool: 1
        case .u16, .i16, .string, .bytes: 2
        case .u32, .i32, .f32: 4
        case .u64, .i64, .f64: 8
        case .u128: 16
        case .varstring, .varbytes, .array, .structure: 0
        }
    }

    /// The values of an unsigned integer type, or nil.
    public var unsignedMax: UInt128? {
        switch self {
        case .u8: UInt128(UInt8.max)
        case .u16: UInt128(UInt16.max)
        case .u32: UInt128(UInt32.max)
        case .u64: UInt128(UInt64.max)
        case .u128: UInt128.max
        default: nil
        }
    }

    /// The values of a signed integer type, or nil.
    public var signedRange: ClosedRange<Int64>? {
        switch self {
        case .i8: Int64(Int8.min)...Int64(Int8.max)
        case .i16: Int64(Int16.min)...Int64(Int16.max)
        case .i32: Int64(Int32.min)...Int64(Int32.max)
        case .i64: Int64.min...Int64.max
        default: nil
        }
    }
}

/// How a kind is kept (F4).
public enum Durability: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case durable = 0
    /// Never on disk, empty after a restart.
    case ephemeral = 1

    /// The name in kind files.
    public var description: String { self == .durable ? "durable" : "ephemeral" }
}

/// What becomes of an owned field when its last owner retracts while others still assert the entity (W5).
public enum OnRetract: UInt8, Sendable, CaseIterable, CustomStringConvertible {
    case keep = 0
    case clear = 1

    /// The name in kind files.
    public var description: String { self == .keep ? "keep" : "clear" }
}
