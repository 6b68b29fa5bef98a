import ConvergeSchema

/// The members of a struct, in the order in which they stand in a row.
public struct Members<Root: TypedStruct>: Sendable {
    let codecs: [MemberCodec<Root>]
    let definitions: [MemberDefinition]

    public init(_ declare: (inout MemberList<Root>) -> Void) {
        var list = MemberList<Root>()
        declare(&list)
        codecs = list.codecs
        definitions = list.definitions
    }
}

/// Declares the members of a struct: one call a member, with its name in the kind and the property that holds it.
public struct MemberList<Root: TypedStruct> {
    fileprivate var codecs: [MemberCodec<Root>] = []
    fileprivate var definitions: [MemberDefinition] = []

    /// A scalar: the member's type is that of the property.
    public mutating func field<V: FieldScalar>(_ name: String, _ property: WritableKeyPath<Root, V> & Sendable) {
        append(name, property, .scalar)
    }

    /// An inline string of at most `max` bytes of UTF-8.
    public mutating func string(_ name: String, _ property: WritableKeyPath<Root, String> & Sendable, max: Int) {
        append(name, property, .string(max: max))
    }

    /// Inline bytes, at most `max`.
    public mutating func bytes(_ name: String, _ property: WritableKeyPath<Root, [UInt8]> & Sendable, max: Int) {
        append(name, property, .bytes(max: max))
    }

    private mutating func append<V>(
        _ name: String, _ property: WritableKeyPath<Root, V> & Sendable, _ codec: InlineCodec<V>
    ) {
        definitions.append(MemberDefinition(name: name, type: codec.type, max: codec.max))
        codecs.append(
            MemberCodec(
                bytes: codec.bytes,
                encode: { (root, data) throws(ValueTooLong) in try codec.encode(root[keyPath: property], &data) },
                decode: { root, data, offset in root[keyPath: property] = codec.decode(data, offset) }))
    }
}

struct MemberCodec<Root: TypedStruct>: Sendable {
    let bytes: Int
    let encode: @Sendable (Root, inout [UInt8]) throws(ValueTooLong) -> Void
    let decode: @Sendable (inout Root, RawSpan, Int) -> Void
}
