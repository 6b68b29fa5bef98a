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
        #expect(layout.fixedBytes == 368)
        #expect(layout.ordinal(of: "m") == 12)
        #expect(layout.ordinal(of: "z") == nil)
        #expect(layout.allFields == 0x3FFF)
    }

    @Test func masksGiveBytesAndNames() throws {
        let layout = try KindLayout(flight)
        #expect(layout.fixedBytes == 17)
        #expect(layout.fixedBytes(mask: 0) == 0)
        #expect(layout.fixedBytes(mask: 0b101) == 15)
        #expect(layout.fixedBytes(mask: .max) == 17)
        #expect(layout.fieldNames(mask: .max) == ["status", "delay_minutes", "gate"])
        #expect(layout.fieldNames(mask: 0b110) == ["delay_minutes", "gate"])
        let widest = try KindLayout(KindDefinition(name: "K", fields: (0..<64).map { field("f\($0)", .u8) }))
        #expect(widest.allFields == .max)
        #expect(widest.fixedBytes(mask: .max) == 64)
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

    @Test func variableFieldsHaveAnEntryInTheFixedZone() throws {
        let layout = try KindLayout(
            kind(
                field("a", .u8), field("note", .varstring, max: 9),
                structure("s", member("x", .u16), member("y", .bytes, max: 3)),
                array("list", max: 4, .u16), array("names", max: 2, .string, elementMax: 5),
                array("points", max: 3, .structure, [member("x", .f32), member("on", .bool)]),
                field("raw", .varbytes, max: 2), field("z", .u64)))
        #expect(layout.offsets == [0, 1, 5, 12, 16, 20, 24, 28])
        #expect(layout.sizes == [1, 4, 7, 4, 4, 4, 4, 8])
        #expect(layout.units == [0, 1, 0, 2, 7, 5, 1, 0])
        #expect(layout.fixedBytes == 36)
        #expect(layout.variableBytesMax == 9 + 4 * 2 + 2 * 7 + 3 * 5 + 2)
        #expect(layout.rowBytesMax == 84)
        #expect(layout.variableFields == 0b0111_1010)
        #expect(layout.fixedBytes(mask: 0b110) == 11)
    }

    /// Written by hand: the fixed zone, then the bytes of the variable fields in ordinal order.
    @Test func aRowInTwoZonesIsTheseBytes() throws {
        let layout = try KindLayout(
            kind(
                field("note", .varstring, max: 9), field("a", .u8),
                array(
                    "points", max: 3, .structure,
                    [member("x", .u16), member("on", .bool), member("n", .string, max: 2)]),
                structure("s", member("x", .i16), member("y", .bytes, max: 3)), field("raw", .varbytes, max: 2)))
        let row = try layout.encodeRow([
            ("raw", .bytes([7])), ("s", .structure(["y": .bytes([8, 9])])), ("note", .string("dé")),
            (
                "points",
                .array([.structure(["x": .unsigned(258), "n": .string("k")]), .structure(["on": .bool(true)])])
            ),
        ])
        #expect(
            row
                == [3, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 8, 9, 0, 1, 0, 0, 0]
                + [0x64, 0xC3, 0xA9] + [2, 1, 0, 1, 0, 0x6B, 0] + [0, 0, 1, 0, 0, 0, 0] + [7])
        #expect(
            layout.decodeRow(row) == [
                .string("dé"), .unsigned(0),
                .array([
                    .structure(["x": .unsigned(258), "on": .bool(false), "n": .string("k")]),
                    .structure(["x": .unsigned(0), "on": .bool(true), "n": .string("")]),
                ]),
                .structure(["x": .signed(0), "y": .bytes([8, 9])]), .bytes([7]),
            ])
        for ordinal in 0..<5 { #expect(layout.value(of: ordinal, in: row) == layout.decodeRow(row)[ordinal]) }
        let patch = try layout.encodePatch([("raw", .bytes([])), ("note", .string("x")), ("a", .unsigned(5))])
        #expect(patch.mask == 0b10011)
        #expect(patch.data == [1, 0, 0, 0, 5, 0, 0, 0, 0, 0x78])
        #expect(try layout.encodeRow([]) == [UInt8](repeating: 0, count: 20))
    }

    /// Rows of a newer schema: more fields at the end of both zones (K2).
    @Test func rowsOfANewerSchemaAreReadAsFarAsTheyAreKnown_K2() throws {
        let older = try KindLayout(kind(field("a", .u8), field("note", .varstring, max: 9)))
        let newer = try KindLayout(
            kind(field("a", .u8), field("note", .varstring, max: 9), field("b", .u32), array("more", max: 3, .u16)))
        let row = try newer.encodeRow([
            ("a", .unsigned(7)), ("note", .string("here")), ("b", .unsigned(9)), ("more", .array([.unsigned(1)])),
        ])
        let fixed = row.span.bytes.extracting(first: newer.fixedBytes)
        let variable = row.span.bytes.extracting(droppingFirst: newer.fixedBytes)
        try older.validateRow(fixed: fixed, variable: variable)
        #expect(older.decodeRow(fixed: fixed, variable: variable) == [.unsigned(7), .string("here")])
        #expect(older.variableBytes(fixed: fixed) == 4)
        #expect(older.value(of: 1, fixed: fixed, variable: variable) == .string("here"))
        let error = refusal { () throws(SchemaError) in try older.validateRow(row.span.bytes) }
        #expect(error?.code == .wrongLength)
    }

    @Test(arguments: UInt64(1)...200)
    func randomRowsRoundTrip(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let layout = try KindLayout(randomKind(&random))
        let values = layout.fields.map { randomValue(of: $0, &random) }
        let named = zip(layout.fields, values).map { (name: $0.name, value: $1) }
        let row = try layout.encodeRow(named.shuffled(using: &random))
        #expect(layout.decodeRow(row) == values, "seed \(seed)")
        #expect(row.count <= layout.rowBytesMax, "seed \(seed)")
        try layout.validateRow(row.span.bytes)
        let fixed = row.span.bytes.extracting(first: layout.fixedBytes)
        #expect(layout.fixedBytes + layout.variableBytes(fixed: fixed) == row.count, "seed \(seed)")
        for ordinal in values.indices { #expect(layout.value(of: ordinal, in: row) == values[ordinal], "seed \(seed)") }

        let mask = random.next() & layout.allFields
        let chosen = named.indices.filter { mask & 1 << UInt64($0) != 0 }
        let patch = try layout.encodePatch(chosen.map { named[$0] }.shuffled(using: &random))
        #expect(patch.mask == mask, "seed \(seed)")
        guard !chosen.isEmpty else { return }
        // The data of a PATCH is a row of the kind that has only these fields.
        let only = try KindLayout(KindDefinition(name: "Only", fields: chosen.map { layout.fields[$0] }))
        #expect(only.fixedBytes == layout.fixedBytes(mask: mask), "seed \(seed)")
        try only.validateRow(patch.data.span.bytes)
        #expect(only.decodeRow(patch.data) == chosen.map { values[$0] }, "seed \(seed)")
    }
}
