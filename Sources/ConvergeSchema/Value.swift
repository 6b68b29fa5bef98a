/// A field's value. Decoding gives `unsigned` for u8…u128, `signed` for i8…i64, `float` for f32 and f64, `string` and `bytes`
/// also for their variable types, and of a struct every member.
///
/// Encoding also takes the other integer case where the number fits, integers for f32 and f64, and a struct without some of
/// its members, which are then zero.
public enum Value: Hashable, Sendable {
    case unsigned(UInt128)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    case string(String)
    case bytes([UInt8])
    case array([Value])
    /// The values of a struct's members by their names.
    case structure([String: Value])

    /// The value that a row has where nothing was written.
    public static func zero(of field: FieldDefinition) -> Value {
        switch field.type {
        case .array: .array([])
        case .structure:
            .structure(Dictionary(uniqueKeysWithValues: field.members.map { ($0.name, zero(of: $0.type)) }))
        default: zero(of: field.type)
        }
    }

    private static func zero(of type: FieldType) -> Value {
        switch type {
        case .u8, .u16, .u32, .u64, .u128: .unsigned(0)
        case .i8, .i16, .i32, .i64: .signed(0)
        case .f32, .f64: .float(0)
        case .bool: .bool(false)
        case .string, .varstring: .string("")
        case .bytes, .varbytes, .array, .structure: .bytes([])
        }
    }

    /// What the value is, as in `a string`.
    var typeName: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .float: "a floating-point number"
        case .bool: "a bool"
        case .string: "a string"
        case .bytes: "bytes"
        case .array: "an array"
        case .structure: "a struct"
        }
    }
}
