/// Where the fields of a kind stand in row data: packed, in ordinal order, without padding. Computed once a kind.
public struct KindLayout: Sendable {
    public let definition: KindDefinition
    /// Of each field, in bytes from the start of the row data.
    public let offsets: [Int]
    /// Of each field, in bytes.
    public let sizes: [Int]
    /// Bytes of the data of every row of the kind, without the row header.
    public let rowBytes: Int
    private let ordinals: [String: Int]

    /// - Throws: what `KindDefinition.validate()` throws.
    public init(_ definition: KindDefinition) throws(SchemaError) {
        try definition.validate()
        var offsets: [Int] = []
        var ordinals: [String: Int] = [:]
        var end = 0
        for (ordinal, field) in definition.fields.enumerated() {
            offsets.append(end)
            ordinals[field.name] = ordinal
            end += field.bytes
        }
        self.definition = definition
        self.offsets = offsets
        self.sizes = definition.fields.map(\.bytes)
        self.rowBytes = end
        self.ordinals = ordinals
    }

    public var fields: [FieldDefinition] { definition.fields }

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

    /// Bytes of a PATCH's data for this presence mask; bits without a field count nothing.
    public func dataBytes(mask: UInt64) -> Int {
        var bytes = 0
        for ordinal in Ordinals(mask & allFields) { bytes += sizes[ordinal] }
        return bytes
    }

    /// Names of the fields in a mask, in ordinal order; bits without a field are left out.
    public func fieldNames(mask: UInt64) -> [String] { Ordinals(mask & allFields).map { fields[$0].name } }
}

/// The bits of a field mask, lowest first.
struct Ordinals: Sequence, IteratorProtocol {
    private var mask: UInt64

    init(_ mask: UInt64) { self.mask = mask }

    mutating func next() -> Int? {
        guard mask != 0 else { return nil }
        defer { mask &= mask - 1 }
        return mask.trailingZeroBitCount
    }
}
