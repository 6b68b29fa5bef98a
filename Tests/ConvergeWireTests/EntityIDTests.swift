import ConvergeWire
import Testing

@Suite struct EntityIDTests {
    private func parse(_ text: String) throws(EntityIDError) -> EntityID {
        try EntityID.parse(text) { EntityID(words: (UInt64($0.utf8.count), 0, 0, 1)) }
    }

    private func sentence(_ text: String) -> String {
        do {
            let id = try parse(text)
            return "taken as \(id)"
        } catch {
            return error.description
        }
    }

    private func bytes(_ id: EntityID) -> [UInt8] { id.withBytes { Array($0) } }

    @Test func forms() throws {
        #expect(bytes(try parse("order-1234")) == Array("order-1234".utf8) + [UInt8](repeating: 0, count: 22))
        #expect(try parse("text:order-1234") == parse("order-1234"))
        #expect(bytes(try parse("int:258")).prefix(3) == [2, 1, 0])
        #expect(try parse("int:18446744073709551615") == .int(.max))
        let uuid = try parse("uuid:123e4567-e89b-12d3-A456-426614174000")
        #expect(bytes(uuid).prefix(5) == [0x12, 0x3E, 0x45, 0x67, 0xE8])
        #expect(bytes(uuid).dropFirst(16).allSatisfy { $0 == 0 })
        #expect(try parse("uuid:123e4567e89b12d3a456426614174000") == uuid)
        let hex = String(repeating: "0F", count: 32)
        #expect(bytes(try parse("hex:" + hex)) == [UInt8](repeating: 15, count: 32))
        #expect(try parse("str:long").words.0 == 4)
        #expect(try parse("gate:A7") == .text("gate:A7"))
    }

    @Test func refusals() {
        #expect(sentence("").contains("empty"))
        #expect(sentence("text:").contains("empty"))
        #expect(sentence(String(repeating: "x", count: 33)).contains("at most 32 bytes"))
        #expect(sentence(String(repeating: "ä", count: 17)).contains("34"))
        #expect(sentence("a\0b").contains("NUL"))
        #expect(sentence("int:-1").contains("not negative"))
        #expect(sentence("int:18446744073709551616").contains("does not fit"))
        #expect(sentence("int:12a").contains("decimal"))
        #expect(sentence("int:").contains("decimal"))
        #expect(sentence("int:+5").contains("decimal"))
        #expect(sentence("uuid:123").contains("32 hexadecimal digits"))
        #expect(sentence("uuid:123e4567xe89b-12d3-a456-426614174000").contains("hyphens"))
        #expect(sentence("uuid:g23e4567-e89b-12d3-a456-426614174000").contains("not a hexadecimal digit"))
        #expect(sentence("hex:00").contains("64"))
        #expect(sentence("hex:" + String(repeating: "g0", count: 32)).contains("0-9"))
        #expect(throws: EntityIDError.self) { try EntityID(bytes: [1, 2, 3]) }
    }

    @Test func descriptionsAreReadBack() throws {
        for text in [
            "order-1234", "Zürich 1", "gate:A7", "text:int:5", "text:text:x", String(repeating: "y", count: 32),
        ] {
            let id = try parse(text)
            #expect(id.description == text)
            #expect(try parse(id.description) == id)
        }
        #expect(try EntityID.text("int:5").description == "text:int:5")
        #expect(EntityID.int(0).description == "hex:" + String(repeating: "0", count: 64))
        #expect(EntityID.int(10).description.hasPrefix("hex:0a00"))
        for hidden in ["a\u{1B}[2J", "a\u{202E}b", "a\u{2028}b", "a\u{85}"] {
            #expect(try EntityID.text(hidden).description.hasPrefix("hex:"))
        }
        var generator = SeededGenerator(state: 11)
        for _ in 0..<1000 {
            let id = EntityID(
                words: (generator.next(), generator.next(), generator.next(), generator.next() & 0xFF))
            #expect(try parse(id.description) == id)
        }
    }

    @Test func equalityIsThatOfTheBytes() throws {
        var generator = SeededGenerator(state: 5)
        let raw = (0..<32).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        let id = try EntityID(bytes: raw)
        #expect(bytes(id) == raw)
        #expect(EntityID(loading: ([9] + raw).span.bytes, at: 1) == id)
        for index in 0..<32 {
            var other = raw
            other[index] ^= 1
            let different = try EntityID(bytes: other)
            #expect(different != id)
            #expect(Set([id, different, id]).count == 2)
        }
    }
}
