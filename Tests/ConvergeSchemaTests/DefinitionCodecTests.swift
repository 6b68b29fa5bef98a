import ConvergeSchema
import Testing

@Suite struct DefinitionCodecTests {
    /// Written by hand from the table in DefinitionCodec.swift.
    private let flightBytes: [UInt8] =
        [1, 0, 0, 1, 6, 0] + Array("Flight".utf8) + [3]
        + [0, 13, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0] + Array("status".utf8)
        + [1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0] + Array("delay_minutes".utf8)
        + [2, 1, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 0] + Array("gate".utf8)

    private let routeBytes: [UInt8] =
        [1, 0, 0, 1, 1, 0] + Array("R".utf8) + [3]
        + [0, 15, 0, 0, 0xA0, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0] + Array("note".utf8)
        + [1, 17, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0] + Array("tags".utf8) + [13, 0, 6, 0]
        + [2, 17, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0] + Array("legs".utf8) + [18, 0, 0, 0, 2]
        + [11, 0, 0, 0, 1, 0] + Array("x".utf8) + [14, 0, 3, 0, 1, 0] + Array("y".utf8)

    private let route = KindDefinition(
        name: "R",
        fields: [
            field("note", .varstring, max: 4_000), array("tags", max: 9, .string, elementMax: 6),
            array("legs", max: 8, .structure, [member("x", .f64), member("y", .bytes, max: 3)]),
        ])

    @Test func variableTypesAreThoseOfTheTable() throws {
        #expect(route.encoded() == routeBytes)
        #expect(try KindDefinition(encoded: routeBytes) == route)
    }

    @Test func bytesAreThoseOfTheTable() throws {
        #expect(flight.encoded() == flightBytes)
        #expect(try KindDefinition(encoded: flightBytes) == flight)
        #expect(try KindDefinition(encoded: flightBytes.span.bytes) == flight)
    }

    @Test(arguments: UInt64(1)...200)
    func randomDefinitionsRoundTrip(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let definition = randomKind(&random)
        #expect(try KindDefinition(encoded: definition.encoded()) == definition, "seed \(seed)")
    }

    @Test func everyTruncationIsRefused() {
        for bytes in [flightBytes, routeBytes] {
            for count in 0..<bytes.count {
                let error = refusal { () throws(SchemaError) in
                    _ = try KindDefinition(encoded: Array(bytes.prefix(count)))
                }
                #expect(error?.code == .invalidDefinition, "\(count) bytes")
                #expect(error?.description.hasPrefix("the binary definition is malformed: ") == true, "\(count) bytes")
            }
        }
    }

    /// Whatever a changed byte makes of it: a refusal, or a definition that is valid and encodes to these very bytes.
    @Test func everyChangedByteIsRefusedOrMeantSo() {
        for valid in [flightBytes, routeBytes] {
            for index in valid.indices {
                for value in UInt8.min...UInt8.max {
                    var bytes = valid
                    bytes[index] = value
                    expectRefusedOrExact(bytes, "byte \(index) = \(value)")
                }
            }
        }
    }

    @Test(arguments: UInt64(1)...300)
    func garbageIsRefusedOrMeantSo(_ seed: UInt64) {
        var random = SplitMix(state: seed)
        let count = Int.random(in: 0...200, using: &random)
        var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        expectRefusedOrExact(bytes, "seed \(seed)")
        let valid = seed % 2 == 0 ? flightBytes : routeBytes
        bytes = Array(valid.prefix(Int.random(in: 4...valid.count, using: &random))) + bytes
        expectRefusedOrExact(bytes, "seed \(seed), behind a valid beginning")
    }

    private func expectRefusedOrExact(_ bytes: [UInt8], _ comment: Comment) {
        guard let definition = try? KindDefinition(encoded: bytes) else { return }
        #expect(definition.encoded() == bytes, comment)
        #expect(refusal(definition.validate) == nil, comment)
    }

    @Test(arguments: [
        (0, UInt8(2), "its format is 2; this version knows format 1"),
        (1, 2, "its durability is 2; 0 is durable and 1 ephemeral"),
        (2, 2, "its flags are 2; only 1 (event stream) is known"),
        (6, 0xFF, "the kind's name is not valid UTF-8"),
        (13, 1, "the ordinal of field 0 is 1; ordinals are 0, 1, 2 … in order"),
        (14, 0, "the type of field 0 is 0; types are 1 to 18"),
        (14, 19, "the type of field 0 is 19; types are 1 to 18"),
        (15, 2, "on_retract of field 0 is 2; 0 is keep and 1 clear"),
        (16, 1, "reserved bytes of field 0 are not zero"),
        (19, 1, "reserved bytes of field 0 are not zero"),
        (30, 1, "it ends inside the name of field 0"),
        (12, 2, "22 bytes follow the last field"),
    ])
    func malformedBytes(_ index: Int, _ value: UInt8, _ sentence: String) {
        var bytes = flightBytes
        bytes[index] = value
        let error = refusal { () throws(SchemaError) in _ = try KindDefinition(encoded: bytes) }
        #expect(error?.description == "the binary definition is malformed: \(sentence)")
    }

    @Test(arguments: [
        (52, UInt8(0), "the type of the elements of field 1 is 0; types are 1 to 18"),
        (53, 1, "reserved bytes of the elements of field 1 are not zero"),
        (78, 19, "the type of the elements of field 2 is 19; types are 1 to 18"),
        (82, 3, "it ends before the type of member 2 of field 2"),
        (82, 1, "7 bytes follow the last field"),
        (83, 99, "the type of member 0 of field 2 is 99; types are 1 to 18"),
        (91, 1, "reserved bytes of member 1 of field 2 are not zero"),
        (89, 0xFF, "the name of member 0 of field 2 is not valid UTF-8"),
    ])
    func malformedNestedBytes(_ index: Int, _ value: UInt8, _ sentence: String) {
        var bytes = routeBytes
        bytes[index] = value
        let error = refusal { () throws(SchemaError) in _ = try KindDefinition(encoded: bytes) }
        #expect(error?.description == "the binary definition is malformed: \(sentence)")
    }

    @Test func decodingAppliesTheRules() {
        func code(_ definition: KindDefinition) -> SchemaError.Code? {
            refusal { () throws(SchemaError) in _ = try KindDefinition(encoded: definition.encoded()) }?.code
        }
        #expect(code(KindDefinition(name: "K", fields: (0..<65).map { field("f\($0)", .u8) })) == .limitReached)
        #expect(code(KindDefinition(name: "K", fields: (0..<300).map { field("f\($0)", .u8) })) == .invalidDefinition)
        #expect(code(kind(array("a", max: 1_025, .u8))) == .invalidDefinition)
        #expect(code(kind(array("a", max: 3, .varstring, elementMax: 3))) == .invalidDefinition)
        #expect(code(kind(structure("a"))) == .invalidDefinition)
        #expect(code(kind(structure("a", member("m", .array, max: 3)))) == .invalidDefinition)
        let members = (0..<65).map { member("m\($0)", .u8) }
        #expect(code(kind(FieldDefinition(name: "a", type: .structure, members: members))) == .limitReached)
        let large = (0..<2).map { array("a\($0)", max: 1_024, .string, elementMax: 600) }
        #expect(code(KindDefinition(name: "K", fields: large)) == .limitReached)
        #expect(code(KindDefinition(name: "K", eventStream: true, fields: [field("a", .u8)])) == .unsupported)
        #expect(code(kind()) == .invalidDefinition)
        #expect(code(kind(field("a", .u8), field("a", .u8))) == .invalidDefinition)
        #expect(code(KindDefinition(name: "convergedb_x", fields: [field("a", .u8)])) == nil)
    }
}
