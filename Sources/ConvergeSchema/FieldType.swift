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
    /// Variable: UTF-8, at most `max` bytes.
    case varstring
    /// Variable: as `varstring`, any bytes.
    case varbytes
    /// Variable: at most `max` elements of one type.
    case array
    /// Inline: its members, packed; one level deep.
    case structure

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
    public var hasMax: Bool {
        switch self {
        case .string, .bytes, .varstring, .varbytes, .array: true
        default: false
        }
    }

    /// Whether the value has bytes in the variable zone of a row, and an entry in its fixed zone.
    public var isVariable: Bool { self == .varstring || self == .varbytes || self == .array }

    /// Whether it may be the type of a struct's member: a scalar, `string` or `bytes`.
    public var isInline: Bool { rawValue <= FieldType.bytes.rawValue }

    /// Whether it may be the type of an array's elements.
    public var isElement: Bool { isInline || self == .structure }

    /// Bytes of a scalar; of `string` and `bytes` those of the length before the value; of a variable type those of its
    /// entry; 0 for `struct`, which is its members.
    public var fixedBytes: Int {
        switch self {
        case .u8, .i8, .bool: 1
        case .u16, .i16, .string, .bytes: 2
        case .u32, .i32, .f32, .varstring, .varbytes, .array: 4
        case .u64, .i64, .f64: 8
        case .u128: 16
        case .structure: 0
        }
    }

    /// Bytes of an inline value with this `max`.
    func inlineBytes(max: Int) -> Int { isInline && hasMax ? fixedBytes + max : fixedBytes }

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
