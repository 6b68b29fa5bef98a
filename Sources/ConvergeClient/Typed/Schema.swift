public import ConvergeSchema

/// The definition of a typed kind, and which property holds which field.
///
/// Unchecked: key paths of properties are immutable, and the compiler has seen to it that they are Sendable where they came in.
public struct Schema<Root: TypedKind>: @unchecked Sendable {
    public let definition: KindDefinition
    let codecs: [FieldCodec<Root>]
    private let ordinals: [PartialKeyPath<Root>: Int]
    /// A property that stands for two fields, which a patch could not tell apart.
    private let ambiguous: SchemaError?

    public init(_ name: String, durability: Durability = .durable, _ declare: (inout FieldList<Root>) -> Void) {
        var list = FieldList<Root>()
        declare(&list)
        var ordinals: [PartialKeyPath<Root>: Int] = [:]
        var ambiguous: SchemaError?
        for (ordinal, property) in list.properties.enumerated() {
            guard let before = ordinals.updateValue(ordinal, forKey: property) else { continue }
            let names = (list.definitions[before].name, list.definitions[ordinal].name)
            ambiguous = SchemaError(
                .invalidDefinition,
                "fields '\(names.0)' and '\(names.1)' of kind '\(name)' are the same property: give each its own",
                field: names.1, ordinal: ordinal)
        }
        definition = KindDefinition(name: name, durability: durability, fields: list.definitions)
        codecs = list.codecs
        self.ordinals = ordinals
        self.ambiguous = ambiguous
    }

    /// The ordinal of the field that the property holds; nil: it is not in the schema.
    public func ordinal(of property: PartialKeyPath<Root>) -> Int? { ordinals[property] }

    /// - Throws: what `KindDefinition.validate()` throws, and `invalidDefinition` for a property that is named twice.
    public func validate() throws(SchemaError) {
        if let ambiguous { throw ambiguous }
        try definition.validate()
    }
}

/// Declares the fields of a kind: one call a field, with its name in the kind and the property that holds it.
///
/// `owners` are the sources that may write the field, every source if it is empty (W5); `onRetract` is what becomes of it when
/// the last of them retracts.
public struct FieldList<Root: TypedKind> {
    fileprivate var definitions: [FieldDefinition] = []
    fileprivate var properties: [PartialKeyPath<Root>] = []
    fileprivate var codecs: [FieldCodec<Root>] = []

    /// A scalar: the field's type is that of the property, as UInt8 is `u8` and Double `f64`.
    public mutating func field<V: FieldScalar>(
        _ name: String, _ property: WritableKeyPath<Root, V> & Sendable, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        inline(name, property, .scalar, owners, onRetract)
    }

    /// An inline string of at most `max` bytes of UTF-8: every row has room for all of them.
    public mutating func string(
        _ name: String, _ property: WritableKeyPath<Root, String> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        inline(name, property, .string(max: max), owners, onRetract)
    }

    /// Inline bytes, at most `max`.
    public mutating func bytes(
        _ name: String, _ property: WritableKeyPath<Root, [UInt8]> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        inline(name, property, .bytes(max: max), owners, onRetract)
    }

    /// A struct, written and patched as a whole.
    public mutating func structure<V: TypedStruct>(
        _ name: String, _ property: WritableKeyPath<Root, V> & Sendable, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        inline(name, property, .structure, owners, onRetract)
    }

    /// A variable string of at most `max` bytes of UTF-8: a row has the bytes that are there.
    public mutating func varstring(
        _ name: String, _ property: WritableKeyPath<Root, String> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        let codec = FieldCodec<Root>(
            encode: { (root, fixed, variable) throws(ValueTooLong) in
                let text = root[keyPath: property].utf8
                try appendEntry(text.count, max: max, to: &fixed)
                variable.append(contentsOf: text)
            },
            decode: { root, _, _, data in
                root[keyPath: property] = data.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            })
        append(FieldDefinition(name: name, type: .varstring, max: max), property, codec, owners, onRetract)
    }

    /// Variable bytes, at most `max`.
    public mutating func varbytes(
        _ name: String, _ property: WritableKeyPath<Root, [UInt8]> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        let codec = FieldCodec<Root>(
            encode: { (root, fixed, variable) throws(ValueTooLong) in
                let bytes = root[keyPath: property]
                try appendEntry(bytes.count, max: max, to: &fixed)
                variable.append(contentsOf: bytes)
            },
            decode: { root, _, _, data in root[keyPath: property] = data.withUnsafeBytes { Array($0) } })
        append(FieldDefinition(name: name, type: .varbytes, max: max), property, codec, owners, onRetract)
    }

    /// An array of at most `max` scalars.
    public mutating func array<V: FieldScalar>(
        _ name: String, _ property: WritableKeyPath<Root, [V]> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        elements(name, property, .scalar, max, owners, onRetract)
    }

    /// An array of at most `max` structs.
    public mutating func array<V: TypedStruct>(
        _ name: String, _ property: WritableKeyPath<Root, [V]> & Sendable, max: Int, owners: [UInt8] = [],
        onRetract: OnRetract = .keep
    ) {
        elements(name, property, .structure, max, owners, onRetract)
    }

    /// An array of at most `max` inline strings, each of at most `elementMax` bytes.
    public mutating func array(
        _ name: String, _ property: WritableKeyPath<Root, [String]> & Sendable, max: Int, elementMax: Int,
        owners: [UInt8] = [], onRetract: OnRetract = .keep
    ) {
        elements(name, property, .string(max: elementMax), max, owners, onRetract)
    }

    /// An array of at most `max` inline bytes values, each of at most `elementMax`.
    public mutating func array(
        _ name: String, _ property: WritableKeyPath<Root, [[UInt8]]> & Sendable, max: Int, elementMax: Int,
        owners: [UInt8] = [], onRetract: OnRetract = .keep
    ) {
        elements(name, property, .bytes(max: elementMax), max, owners, onRetract)
    }

    private mutating func inline<V>(
        _ name: String, _ property: WritableKeyPath<Root, V> & Sendable, _ value: InlineCodec<V>, _ owners: [UInt8],
        _ onRetract: OnRetract
    ) {
        let codec = FieldCodec<Root>(
            encode: { (root, fixed, _) throws(ValueTooLong) in try value.encode(root[keyPath: property], &fixed) },
            decode: { root, fixed, offset, _ in root[keyPath: property] = value.decode(fixed, offset) })
        let definition = FieldDefinition(name: name, type: value.type, max: value.max, members: value.members)
        append(definition, property, codec, owners, onRetract)
    }

    private mutating func elements<V>(
        _ name: String, _ property: WritableKeyPath<Root, [V]> & Sendable, _ element: InlineCodec<V>, _ max: Int,
        _ owners: [UInt8], _ onRetract: OnRetract
    ) {
        let codec = FieldCodec<Root>(
            encode: { (root, fixed, variable) throws(ValueTooLong) in
                let elements = root[keyPath: property]
                try appendEntry(elements.count, max: max, to: &fixed)
                for (index, value) in elements.enumerated() {
                    do throws(ValueTooLong) {
                        try element.encode(value, &variable)
                    } catch {
                        throw ValueTooLong(count: error.count, element: index, member: error.member)
                    }
                }
            },
            decode: { root, _, _, data in
                root[keyPath: property] = stride(from: 0, to: data.byteCount, by: element.bytes).map {
                    element.decode(data, $0)
                }
            })
        let definition = FieldDefinition(
            name: name, type: .array, max: max, element: element.type, elementMax: element.max,
            members: element.members)
        append(definition, property, codec, owners, onRetract)
    }

    private mutating func append(
        _ definition: FieldDefinition, _ property: PartialKeyPath<Root>, _ codec: FieldCodec<Root>, _ owners: [UInt8],
        _ onRetract: OnRetract
    ) {
        var definition = definition
        for source in owners {
            precondition(source < SchemaLimits.sources, "field '\(definition.name)': sources are numbered 0 to 63")
            definition.owners |= 1 << UInt64(source)
        }
        definition.onRetract = onRetract
        definitions.append(definition)
        properties.append(property)
        codecs.append(codec)
    }
}

struct FieldCodec<Root: TypedKind>: Sendable {
    /// Appends the field to the fixed and the variable zone.
    let encode: @Sendable (Root, inout [UInt8], inout [UInt8]) throws(ValueTooLong) -> Void
    /// From the fixed zone, where the field has an offset, or from its own bytes of the variable zone.
    let decode: @Sendable (inout Root, RawSpan, Int, RawSpan) -> Void
}

private func appendEntry(_ count: Int, max: Int, to fixed: inout [UInt8]) throws(ValueTooLong) {
    guard count <= max else { throw ValueTooLong(count: count) }
    UInt32(count).append(to: &fixed)
}
