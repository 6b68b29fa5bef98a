import ConvergeSchema
import Testing

@Suite struct LayoutTests {
    @Test func offsetsArePackedInOrder() throws {
        let layout = try KindLayout(
            kind(
                field("a", .u8), field("b", .u16), field("c", .u32), field("d", .u64), field("e", .u128),
                field("f", .i8), field("g", .i16), field("h", .i32), field("i", .i64), field("j", .f32),
                field("k", .f64), field("l", .bool), field("m", .string, max: 5), field("n", .bytes, max: 300)))
        #expect(layout.offsets == [0, 1, 3, 7, 15, 31, 32, 34, 38, 46, 50, 58, 59, 66])
        #expect(layout.sizes == [1, 2, 4, 8, 16, 1, 2, 4, 8, 4, 8, 1, 7, 302])
        #expect(layout.rowBytes == 368)
        #expect(layout.ordinal(of: "m") == 12)
        #expect(layout.ordinal(of: "z") == nil)
        #expect(layout.allFields == 0x3FFF)
    }

    @Test func masksGiveBytesAndNames() throws {
        let layout = try KindLayout(flight)
        #expect(layout.rowBytes == 17)
        #expect(layout.dataBytes(mask: 0) == 0)
        #expect(layout.dataBytes(mask: 0b101) == 15)
        #expect(layout.dataBytes(mask: .max) == 17)
        #expect(layout.fieldNames(mask: .max) == ["status", "delay_minutes", "gate"])
        #expect(layout.fieldNames(mask: 0b110) == ["delay_minutes", "gate"])
        let widest = try KindLayout(KindDefinition(name: "K", fields: (0..<64).map { field("f\($0)", .u8) }))
        #expect(widest.allFields == .max)
        #expect(widest.dataBytes(mask: .max) == 64)
        #expect(widest.fieldNames(mask: 1 << 63) == ["f63"])
    }

    @Test func aRowIsTheseBytes() throws {
        let layout = try KindLayout(flight)
        let row = try layout.encodeRow([("delay_minutes", .signed(-2)), ("status", .string("dé"))])
        #expect(row == [3, 0, 0x64, 0xC3, 0xA9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFE, 0xFF, 0])
        #expect(layout.decodeRow(row) == [.string("dé"), .signed(-2), .unsigned(0)])
        #expect(layout.value(of: 1, in: row) == .signed(-2))
        #expect(row.withUnsafeBytes { layout.decodeRow($0) } == layout.decodeRow(row))
        #expect(try layout.encodeRow([]) == [UInt8](repeating: 0, count: 17))
    }

    @Test func aPatchIsPackedInOrdinalOrder() throws {
        let layout = try KindLayout(flight)
        let patch = try layout.encodePatch([("gate", .unsigned(7)), ("delay_minutes", .unsigned(258))])
        #expect(patch.mask == 0b110)
        #expect(patch.data == [2, 1, 7])
        let empty = try layout.encodePatch([])
        #expect(empty.mask == 0)
        #expect(empty.data.isEmpty)
    }

    @Test func littleEndianScalars() throws {
        let layout = try KindLayout(kind(field("a", .u128), field("b", .f32), field("c", .f64), field("d", .bool)))
        let row = try layout.encodeRow([
            ("a", .unsigned(0x0F0E_0D0C_0B0A_0908_0706_0504_0302_0100)), ("b", .float(1)), ("c", .float(-2)),
            ("d", .bool(true)),
        ])
        #expect(row == Array(0...15) + [0, 0, 0x80, 0x3F] + [0, 0, 0, 0, 0, 0, 0, 0xC0] + [1])
    }

    @Test(arguments: UInt64(1)...100)
    func randomRowsRoundTrip(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let layout = try KindLayout(randomKind(&random))
        let values = layout.fields.map { randomValue(of: $0, &random) }
        let named = zip(layout.fields, values).map { (name: $0.name, value: $1) }
        let row = try layout.encodeRow(named.shuffled(using: &random))
        #expect(row.count == layout.rowBytes, "seed \(seed)")
        #expect(layout.decodeRow(row) == values, "seed \(seed)")
        try layout.validateRow(row.span.bytes)

        let mask = random.next() & layout.allFields
        let chosen = named.indices.filter { mask & 1 << UInt64($0) != 0 }
        let patch = try layout.encodePatch(chosen.map { named[$0] }.shuffled(using: &random))
        #expect(patch.mask == mask, "seed \(seed)")
        let cut = chosen.flatMap { row[layout.offsets[$0]..<layout.offsets[$0] + layout.sizes[$0]] }
        #expect(patch.data == cut, "seed \(seed)")
        #expect(patch.data.count == layout.dataBytes(mask: mask), "seed \(seed)")
    }

    private func randomValue(of field: FieldDefinition, _ random: inout SplitMix) -> Value {
        let bits = UInt128(random.next()) << 64 | UInt128(random.next())
        if let max = field.type.unsignedMax { return .unsigned(bits & max) }
        if let range = field.type.signedRange { return .signed(Int64.random(in: range, using: &random)) }
        let count = Int.random(in: 0...Swift.max(field.max, 1), using: &random)
        switch field.type {
        case .f32: return .float(Double(Float(Int32(truncatingIfNeeded: bits)) / 16))
        case .f64: return .float(Double(Int64(truncatingIfNeeded: bits)) / 16)
        case .bool: return .bool(bits & 1 != 0)
        case .string: return .string(String(repeating: "x", count: count))
        default: return .bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }
}
