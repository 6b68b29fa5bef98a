/// A place that takes a value: a field, an element of its array, or a member of its struct. Sentences name it by its path,
/// as in `alerts[3]` or `position.lat`.
package struct Slot {
    package let field: FieldDefinition
    /// Index of the element; nil: the field itself.
    package let element: Int?
    /// Ordinal of the member in its struct; nil: the field, or the whole element.
    package let member: Int?
    package let type: FieldType
    /// As in `FieldDefinition.max`.
    package let max: Int

    package init(_ field: FieldDefinition) {
        self.field = field
        element = nil
        member = nil
        type = field.type
        max = field.max
    }

    private init(_ field: FieldDefinition, element: Int?, member: Int?, type: FieldType, max: Int) {
        self.field = field
        self.element = element
        self.member = member
        self.type = type
        self.max = max
    }

    /// An element of an array.
    package func element(_ index: Int) -> Slot {
        Slot(field, element: index, member: nil, type: field.element ?? .u8, max: field.elementMax)
    }

    /// A member of a struct.
    package func member(_ ordinal: Int) -> Slot {
        let definition = field.members[ordinal]
        return Slot(field, element: element, member: ordinal, type: definition.type, max: definition.max)
    }

    /// The ordinal of a member that the caller named.
    /// - Throws: `unknownField`, with the nearest name.
    package func requireMember(_ name: String) throws(SchemaError) -> Int {
        if let ordinal = field.members.firstIndex(where: { $0.name == name }) { return ordinal }
        let suggestion = Sentence.suggestion(for: name, among: field.members.lazy.map(\.name))
        throw SchemaError(
            .unknownField, "field '\(path)' has no member \(Sentence.quote(name))\(suggestion)", field: field.name)
    }

    package var path: String {
        var path = field.name
        if let element { path += "[\(element)]" }
        if let member { path += ".\(field.members[member].name)" }
        return path
    }

    /// What it takes, as in `field 'delay_minutes' takes an i16 (-32768…32767)`.
    package var expectation: String {
        let takes = "field '\(path)' takes \(type.article)"
        if let max = type.unsignedMax { return "\(takes) (0…\(max))" }
        if let range = type.signedRange { return "\(takes) (\(range.lowerBound)…\(range.upperBound))" }
        switch type {
        case .f32: return "\(takes) (up to ±\(Float.greatestFiniteMagnitude))"
        case .f64: return "\(takes) (up to ±\(Double.greatestFiniteMagnitude))"
        case .bool: return "\(takes) (true or false)"
        case .string, .varstring: return "\(takes) of at most \(Sentence.grouped(max)) bytes"
        case .bytes, .varbytes: return "field '\(path)' takes \(type), at most \(Sentence.grouped(max))"
        case .array: return "\(takes) of \(field.element ?? .u8), at most \(Sentence.grouped(max)) elements"
        default: return "\(takes) (\(Sentence.shorten(field.members.map(\.name).joined(separator: ", "))))"
        }
    }

    /// The number was understood and is outside the type's range.
    package func doesNotFit(_ given: String) -> SchemaError {
        SchemaError(.outOfRange, "\(expectation); \(Sentence.shorten(given)) does not fit", field: field.name)
    }

    /// `count`: bytes of the value, or elements of the array.
    package func tooLong(_ count: Int) -> SchemaError {
        SchemaError(.valueTooLong, "\(expectation); the value given has \(Sentence.grouped(count))", field: field.name)
    }

    /// `given` says what it was, as in `a string`.
    package func wrongType(_ given: String) -> SchemaError {
        SchemaError(.wrongType, "\(expectation), not \(given)", field: field.name)
    }
}

extension FieldType {
    /// The type with its article, as in `an i16`.
    package var article: String {
        switch self {
        case .i8, .i16, .i32, .i64, .f32, .f64, .array: "an \(name)"
        default: "a \(name)"
        }
    }
}
