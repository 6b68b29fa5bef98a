import ConvergeSchema
import ConvergeWire
import Glibc

/// What two numbers of a row say about the rest of it. A row is two groups of a tag and a body; a write replaces whole groups,
/// and the body follows from the tag, so that a torn or mixed up row shows by itself.
///
///     │ tag a u64 │ body a │ tag b u64 │ body b │ bytes of variable bodies
struct Tags: Equatable {
    /// `Source.tag`: who wrote the group, and with which of its writes; 0: nobody since the entity was created.
    var a: UInt64
    var b: UInt64

    static let zero = Tags(a: 0, b: 0)
}

/// Groups of a row, as a write names them.
enum Groups: UInt64 {
    case a = 0b0011
    case b = 0b1100
    case both = 0b1111
}

/// A kind of the run and the layout of its rows.
struct KindShape {
    struct Body {
        let type: FieldType
        let max: Int

        /// Bytes of an element.
        var unit: Int { type == .array ? 4 : 1 }
        var fixedBytes: Int { type.isVariable ? 4 : 2 + max }

        func field(_ name: String) -> FieldDefinition {
            FieldDefinition(name: name, type: type, max: max, element: type == .array ? .u32 : nil)
        }
    }

    let name: String
    let durability: Durability
    let a: Body
    let b: Body

    var definition: KindDefinition {
        KindDefinition(
            name: name, durability: durability,
            fields: [
                FieldDefinition(name: "tag_a", type: .u64), a.field("body_a"),
                FieldDefinition(name: "tag_b", type: .u64), b.field("body_b"),
            ])
    }

    /// Rows without and with a variable zone, small and large.
    static let all = [
        KindShape(
            name: "stress_small", durability: .durable, a: Body(type: .bytes, max: 20),
            b: Body(type: .string, max: 12)),
        KindShape(
            name: "stress_wide", durability: .durable, a: Body(type: .string, max: 900), b: Body(type: .bytes, max: 60)
        ),
        KindShape(
            name: "stress_text", durability: .durable, a: Body(type: .varstring, max: 120),
            b: Body(type: .varbytes, max: 300)),
        KindShape(
            name: "stress_array", durability: .ephemeral, a: Body(type: .array, max: 40),
            b: Body(type: .varbytes, max: 60)),
        KindShape(
            name: "stress_bulk", durability: .ephemeral, a: Body(type: .varbytes, max: 12_000),
            b: Body(type: .string, max: 30)),
    ]

    /// Of those the last: so large that who does not read is soon behind. Slow readers subscribe to it, and they alone.
    static let bulk = all.count - 1

    /// For writes that only see to it that every partition is flushed.
    static let fence = KindShape(
        name: "stress_fence", durability: .ephemeral, a: Body(type: .bytes, max: 1), b: Body(type: .bytes, max: 1))

    // MARK: Rows

    /// Letters that bodies are cut from.
    private static let letters: [UInt8] = (0..<1 << 14).map {
        UInt8(ascii: "a") + UInt8(Random.mixed(UInt64($0) &+ 77) % 26)
    }

    /// Where in the letters a body is cut out, and how long it is in elements.
    @inline(__always)
    private static func cut(_ tag: UInt64, _ body: Body) -> (offset: Int, count: Int) {
        guard tag != 0 else { return (0, 0) }
        let bits = Random.mixed(tag)
        return (Int(bits & 4_095), Int((bits >> 32) % UInt64(body.max + 1)))
    }

    /// Replaces `data` by these groups of a row: both zones of an ASSERT, or of a PATCH.
    func encode(_ tags: Tags, _ groups: Groups, into data: inout [UInt8]) {
        data.removeAll(keepingCapacity: true)
        var parts: [(UInt64, Body)] = []
        if groups != .b { parts.append((tags.a, a)) }
        if groups != .a { parts.append((tags.b, b)) }
        for (tag, body) in parts {
            let cut = KindShape.cut(tag, body)
            append(tag, bytes: 8, to: &data)
            append(UInt64(cut.count), bytes: body.type.isVariable ? 4 : 2, to: &data)
            guard !body.type.isVariable else { continue }
            data.append(contentsOf: KindShape.letters[cut.offset..<cut.offset + cut.count])
            data.append(contentsOf: repeatElement(0, count: body.max - cut.count))
        }
        for (tag, body) in parts where body.type.isVariable {
            let cut = KindShape.cut(tag, body)
            data.append(contentsOf: KindShape.letters[cut.offset..<cut.offset + cut.count * body.unit])
        }
    }

    private func append(_ number: UInt64, bytes: Int, to data: inout [UInt8]) {
        for index in 0..<bytes { data.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index))) }
    }

    /// The tags of a row that is as its tags say; nil: it is not.
    @inline(__always)
    func tags(_ row: RawSpan, fixedBytes: Int) -> Tags? {
        let bStart = 8 + a.fixedBytes
        guard fixedBytes == bStart + 8 + b.fixedBytes, row.byteCount >= fixedBytes else { return nil }
        let tags = Tags(
            a: row.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self),
            b: row.unsafeLoadUnaligned(fromByteOffset: bStart, as: UInt64.self))
        var variable = fixedBytes
        guard holds(row, tags.a, a, at: 8, &variable), holds(row, tags.b, b, at: bStart + 8, &variable),
            variable == row.byteCount
        else { return nil }
        return tags
    }

    /// Whether the body at `offset` is the one of the tag; `variable` moves behind its variable bytes.
    @inline(__always)
    private func holds(_ row: RawSpan, _ tag: UInt64, _ body: Body, at offset: Int, _ variable: inout Int) -> Bool {
        let cut = KindShape.cut(tag, body)
        if body.type.isVariable {
            let count = row.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
            let bytes = cut.count * body.unit
            guard Int(count) == cut.count, row.byteCount - variable >= bytes else { return false }
            defer { variable += bytes }
            return KindShape.equal(row, variable, letter: cut.offset, bytes)
        }
        let count = row.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return Int(count) == cut.count && KindShape.equal(row, offset + 2, letter: cut.offset, cut.count)
    }

    @inline(__always)
    private static func equal(_ row: RawSpan, _ offset: Int, letter: Int, _ count: Int) -> Bool {
        letters.span.bytes.withUnsafeBytes { letters in
            row.withUnsafeBytes { row in
                count == 0 || memcmp(row.baseAddress! + offset, letters.baseAddress! + letter, count) == 0
            }
        }
    }
}
