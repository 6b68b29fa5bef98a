import ConvergeSchema
import Glibc
import Testing

/// The vectors of Tests/Golden that hold a definition and rows with every type.
@Suite struct GoldenRowTests {
    private let all = KindDefinition(
        name: "All", durability: .ephemeral,
        fields: FieldType.allCases.prefix(12).map { field($0.name, $0) } + [
            field("string", .string, max: 5), field("bytes", .bytes, max: 3),
            field("varstring", .varstring, max: 4_000),
            field("varbytes", .varbytes, max: 65_535),
            structure("position", member("lat", .f64), member("lon", .f64), member("port", .string, max: 4)),
            array("alerts", max: 8, .u32), array("tags", max: 16, .string, elementMax: 6),
            FieldDefinition(
                name: "route", type: .array, max: 100, owners: 0b101, onRetract: .clear, element: .structure,
                members: [member("port", .bytes, max: 2), member("eta", .u16), member("open", .bool)]),
        ])

    /// The payload of a vector, behind the header of its message.
    private func payload(_ name: String, from offset: Int) throws -> [UInt8] {
        let folder = #filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
        let file = try #require(fopen("\(folder)/Golden/\(name).hex", "r"), "Tests/Golden/\(name).hex is missing")
        defer { fclose(file) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { text += chunk[..<count] }
        let words = String(decoding: text, as: UTF8.self).split(separator: "\n").flatMap { line in
            line.prefix { $0 != "#" }.split(separator: " ")
        }
        return words.compactMap { UInt8($0, radix: 16) }.dropFirst(12 + offset).map { $0 }
    }

    @Test func theDefinition() throws {
        let bytes = try payload("create_kind_all_types", from: 0)
        #expect(all.encoded() == bytes)
        #expect(try KindDefinition(encoded: bytes) == all)
        for count in bytes.indices {
            #expect(throws: SchemaError.self) { try KindDefinition(encoded: Array(bytes.prefix(count))) }
        }
    }

    @Test func theRow() throws {
        let layout = try KindLayout(all)
        let values: [Value] = [
            .unsigned(200), .unsigned(50_000), .unsigned(4_000_000_000), .unsigned(1 << 63), .unsigned(1 << 127 + 1),
            .signed(-2), .signed(-300), .signed(-70_000), .signed(-1 << 40), .float(0.5), .float(-1.25), .bool(true),
            .string("dé"), .bytes([0xFF]), .string("on time!"), .bytes([0, 1]),
            .structure(["lat": .float(54.5), "lon": .float(10), "port": .string("Kiel")]),
            .array([.unsigned(1), .unsigned(2), .unsigned(3)]), .array([.string("fast"), .string("")]),
            .array([
                .structure(["port": .bytes([0x4B]), "eta": .unsigned(700), "open": .bool(true)]),
                .structure(["port": .bytes([]), "eta": .unsigned(0), "open": .bool(false)]),
            ]),
        ]
        let row = try payload("assert_all_types", from: 40)
        #expect(layout.fixedBytes == 113)
        #expect(row.count == 165)
        try layout.validateRow(row.span.bytes)
        #expect(layout.decodeRow(row) == values)
        #expect(try layout.encodeRow(zip(all.fields, values).map { ($0.name, $1) }) == row)
    }

    @Test func thePatch() throws {
        let patch = try KindLayout(all).encodePatch([
            ("tags", .array([.string("slow")])), ("position", .structure(["lon": .float(9.5)])),
            ("varstring", .string("late")),
        ])
        #expect(patch.mask == 1 << 14 | 1 << 16 | 1 << 18)
        #expect(try payload("patch_all_types", from: 48) == patch.data)
    }
}
