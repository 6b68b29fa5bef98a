/// Where the values of a kind stand in row data, computed once a kind. Row data has two zones:
///
///     fixed zone                                      variable zone
///     ├ scalar ┼ entry u32 ┼ struct ┼ entry u32 ┤     ├ bytes of the first ┼ elements of the second ┤
///                   length                elements
///
/// The fixed zone is every field at its offset, packed in ordinal order, a variable field as an entry: its length in bytes,
/// or its number of elements. The variable zone is the bytes of all variable fields, in ordinal order.
public struct KindLayout: Sendable {
    public let definition: KindDefinition
    /// Of each field, in bytes from the start of the fixed zone.
    public let offsets: [Int]
    /// Of each field, in the fixed zone.
    public let sizes: [Int]
    /// Of each field: what one of its entry stands for in the variable zone; 0: the field has nothing there.
    public let units: [Int]
    /// Bytes of the fixed zone. Without variable fields this is the data of every row.
    public let fixedBytes: Int
    /// Bytes of the largest variable zone.
    public let variableBytesMax: Int
    /// Bit n: field n is variable.
    public let variableFields: UInt64
    /// Bit n: not every bit pattern is a value of field n.
    let checkedFields: UInt64
    private let ordinals: [String: Int]

    /// - Throws: what `KindDefinition.validate()` throws.
    public init(_ definition: KindDefinition) throws(SchemaError) {
        try definition.validate()
        var offsets: [Int] = []
        var ordinals: [String: Int] = [:]
        var end = 0
        var variableBytesMax = 0
        var variableFields: UInt64 = 0
        var checkedFields: UInt64 = 0
        for (ordinal, field) in definition.fields.enumerated() {
            offsets.append(end)
            ordinals[field.name] = ordinal
            end += field.bytes
            variableBytesMax += field.unit * field.max
            if field.type.isVariable { variableFields |= 1 << UInt64(ordinal) }
            if field.isChecked { checkedFields |= 1 << UInt64(ordinal) }
        }
        self.definition = definition
        self.offsets = offsets
        self.sizes = definition.fields.map(\.bytes)
        self.units = definition.fields.map(\.unit)
        self.fixedBytes = end
        self.variableBytesMax = variableBytesMax
        self.variableFields = variableFields
        self.checkedFields = checkedFields
        self.ordinals = ordinals
    }

    public var fields: [FieldDefinition] { definition.fields }

    /// Bytes of the largest row data, without the row header.
    public var rowBytesMax: Int { fixedBytes + variableBytesMax }

    public func ordinal(of name: String) -> Int? { ordinals[name] }

    /// The ordinal of a field that the caller named.
    /// - Throws: `unknownField`, with the nearest name.
    public func requireOrdinal(of name: String) throws(SchemaError) -> Int {
        if let ordinal = ordinals[name] { return ordinal }
        let suggestion = Sentence.suggestion(for: name, among: fields.lazy.map(\.name))
        throw SchemaError(
            .unknownField, "kind '\(definition.name)' has no field \(Sentence.quote(name))\(suggestion)", field: name)
    }

    /// Mask with a bit for each field of the kind.
    public var allFields: UInt64 { fields.count == 64 ? .max : (1 << UInt64(fields.count)) - 1 }

    /// Bytes of the fixed zone of a PATCH with this presence mask; bits without a field count nothing.
    public func fixedBytes(mask: UInt64) -> Int {
        var bytes = 0
        for ordinal in Ordinals(mask & allFields) { bytes += sizes[ordinal] }
        return bytes
    }

    /// Names of the fields in a mask, in ordinal order; bits without a field are left out.
    public func fieldNames(mask: UInt64) -> [String] { Ordinals(mask & allFields).map { fields[$0].name } }
}

extension FieldDefinition {
    fileprivate var isChecked: Bool {
        switch type {
        case .array: element == .structure ? members.contains { $0.type.isChecked } : element?.isChecked ?? false
        case .structure: members.contains { $0.type.isChecked }
        default: type.isChecked
        }
    }
}

extension FieldType {
    fileprivate var isChecked: Bool { self == .bool || self == .string || self == .bytes || self == .varstring }
}

/// The bits of a field mask, lowest first.
package struct Ordinals: Sequence, IteratorProtocol {
    private var mask: UInt64

    package init(_ mask: UInt64) { self.mask = mask }

    package mutating func next() -> Int? {
        guard mask != 0 else { return nil }
        defer { mask &= mask - 1 }
        return mask.trailingZeroBitCount
    }
}
