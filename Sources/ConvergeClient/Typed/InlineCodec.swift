import ConvergeSchema

/// A value is longer than its max, or an array has more elements; where in the field that is.
struct ValueTooLong: Error {
    let count: Int
    var element: Int?
    var member: Int?
}

/// How a Swift value stands in a row inline: a field of the fixed zone, a member, or an element.
struct InlineCodec<Value: Sendable>: Sendable {
    let type: FieldType
    var max = 0
    var members: [MemberDefinition] = []
    let bytes: Int
    let encode: @Sendable (Value, inout [UInt8]) throws(ValueTooLong) -> Void
    /// The value at an offset of a row that was validated.
    let decode: @Sendable (RawSpan, Int) -> Value
}

extension InlineCodec where Value: FieldScalar {
    static var scalar: InlineCodec {
        InlineCodec(
            type: Value.fieldType, bytes: Value.fieldType.fixedBytes, encode: { $0.append(to: &$1) },
            decode: { Value.load($0, at: $1) })
    }
}

extension InlineCodec where Value == String {
    static func string(max: Int) -> InlineCodec {
        InlineCodec(
            type: .string, max: max, bytes: 2 + max,
            encode: { (text, data) throws(ValueTooLong) in
                try appendInline(text.utf8, count: text.utf8.count, max: max, to: &data)
            },
            decode: { data, offset in
                data.extracting(inlineBytes(data, offset)).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            })
    }
}

extension InlineCodec where Value == [UInt8] {
    static func bytes(max: Int) -> InlineCodec {
        InlineCodec(
            type: .bytes, max: max, bytes: 2 + max,
            encode: { (bytes, data) throws(ValueTooLong) in
                try appendInline(bytes, count: bytes.count, max: max, to: &data)
            },
            decode: { data, offset in data.extracting(inlineBytes(data, offset)).withUnsafeBytes { Array($0) } })
    }
}

extension InlineCodec where Value: TypedStruct {
    static var structure: InlineCodec {
        let members = Value.members
        return InlineCodec(
            type: .structure, members: members.definitions, bytes: members.definitions.reduce(0) { $0 + $1.bytes },
            encode: { (value, data) throws(ValueTooLong) in
                for (ordinal, codec) in members.codecs.enumerated() {
                    do throws(ValueTooLong) {
                        try codec.encode(value, &data)
                    } catch {
                        throw ValueTooLong(count: error.count, member: ordinal)
                    }
                }
            },
            decode: { data, offset in
                var value = Value()
                var offset = offset
                for codec in members.codecs {
                    codec.decode(&value, data, offset)
                    offset += codec.bytes
                }
                return value
            })
    }
}

private func appendInline(
    _ bytes: some Sequence<UInt8>, count: Int, max: Int, to data: inout [UInt8]
) throws(ValueTooLong) {
    guard count <= max else { throw ValueTooLong(count: count) }
    UInt16(count).append(to: &data)
    data.append(contentsOf: bytes)
    data.append(contentsOf: repeatElement(0, count: max - count))
}

/// Where the bytes of an inline `string` or `bytes` value lie.
private func inlineBytes(_ data: RawSpan, _ offset: Int) -> Range<Int> {
    offset + 2..<offset + 2 + Int(UInt16.load(data, at: offset))
}
