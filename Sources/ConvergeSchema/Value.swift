/// A field's value. Decoding gives `unsigned` for u8…u128, `signed` for i8…i64, `float` for f32 and f64.
///
/// Encoding also takes the other integer case where the number fits, and integers for f32 and f64.
public enum Value: Hashable, Sendable {
    case unsigned(UInt128)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    case string(String)
    case bytes([UInt8])

    /// The value that a row has where nothing was written.
    public static func zero(of type: FieldType) -> Value {
        switch type {
        case .u8, .u16, .u32, .u64, .u128: .unsigned(0)
        case .i8, .i16, .i32, .i64: .signed(0)
        case .f32, .f64: .float(0)
        case .bool: .bool(false)
        case .string, .varstring: .string("")
        case .bytes, .varbytes, .array, .structure: .bytes([])
        }
    }
}

extension FieldType {
    /// The type with what it takes, as in `an i16 (-32768…32767)`.
    package var article: String {
        switch self {
        case .i8, .i16, .i32, .i64, .f32, .f64, .array: "an \(name)"
        default: "a \(name)"
        }
    }
}

extension FieldDefinition {
    /// What the field takes, as in `field 'delay_minutes' takes an i16 (-32768…32767)`.
    package var expectation: String {
        let takes = "field '\(name)' takes \(type.article)"
        if let max = type.unsignedMax { return "\(takes) (0…\(max))" }
        if let range = type.signedRange { return "\(takes) (\(range.lowerBound)…\(range.upperBound))" }
        switch type {
        case .f32: return "\(takes) (up to ±\(Float.greatestFiniteMagnitude))"
        case .f64: return "\(takes) (up to ±\(Double.greatestFiniteMagnitude))"
        case .bool: return "\(takes) (true or false)"
        case .string: return "\(takes) of at most \(Sentence.grouped(self.max)) bytes"
        case .bytes: return "field '\(name)' takes bytes, at most \(Sentence.grouped(self.max))"
        default: return takes
        }
    }

    /// The number was understood and is outside the type's range.
    package func doesNotFit(_ given: String) -> SchemaError {
        SchemaError(.outOfRange, "\(expectation); \(Sentence.shorten(given)) does not fit", field: name)
    }

    package func tooLong(_ bytes: Int) -> SchemaError {
        SchemaError(.valueTooLong, "\(expectation); the value given has \(Sentence.grouped(bytes))", field: name)
    }

    /// `given` says what it was, as in `a string`.
    package func wrongType(_ given: String) -> SchemaError {
        SchemaError(.wrongType, "\(expectation), not \(given)", field: name)
    }
}
