import ConvergeSchema
import Testing

@Suite struct DefinitionRuleTests {
    @Test func everyTypeAndLimitIsAccepted() throws {
        let fields = FieldType.allCases.map { anyField($0, max: $0 == .array ? 1_024 : SchemaLimits.valueBytes) }
        try KindDefinition(name: "All", durability: .ephemeral, fields: fields).validate()
        let name = "a" + String(repeating: "9", count: 63)
        try KindDefinition(name: name, fields: [field("_-.aZ09", .bool), field(name, .u8)]).validate()
        try KindDefinition(name: "K", fields: (0..<64).map { field("f\($0)", .u128) }).validate()
    }

    @Test(arguments: [
        (KindDefinition(name: "", fields: [field("a", .u8)]), "the kind's name '' is empty: names have 1 to 64 bytes"),
        (
            KindDefinition(name: "9lives", fields: [field("a", .u8)]),
            "the kind's name '9lives' must begin with a letter or _"
        ),
        (
            KindDefinition(name: "a b", fields: [field("a", .u8)]),
            "the kind's name 'a b' must consist of letters a-z A-Z, digits, _ - and ."
        ),
        (
            KindDefinition(name: "Größe", fields: [field("a", .u8)]),
            "the kind's name 'Größe' must consist of letters a-z A-Z, digits, _ - and ."
        ),
        (kind(field("-a", .u8)), "the field's name '-a' must begin with a letter or _"),
        (kind(), "kind 'K' has no fields: give it 1 to 64"),
        (
            KindDefinition(name: "K", schema: 0, fields: [field("a", .u8)]),
            "schema versions begin at 1; 0 was given"
        ),
        (
            kind(field("a", .string, max: 65_536)),
            "field 'a' (string) needs a max of 1 to 65,535 bytes; 65536 was given"
        ),
        (kind(field("a", .bytes)), "field 'a' (bytes) needs a max of 1 to 65,535 bytes; it has none"),
        (kind(field("a", .string, max: -1)), "field 'a' (string) needs a max of 1 to 65,535 bytes; -1 was given"),
        (kind(field("a", .i8, max: 4)), "field 'a' is an i8 and takes no max: leave it out"),
        (kind(field("a", .u8), field("a", .u8)), "the name 'a' is used by two fields: every field needs its own"),
    ])
    func invalidDefinitions(_ definition: KindDefinition, _ sentence: String) {
        let error = refusal(definition.validate)
        #expect(error?.description == sentence)
        #expect(error?.code == .invalidDefinition)
    }

    @Test func aNameOf65BytesIsCutShortInItsSentence() {
        let name = String(repeating: "n", count: 65)
        let error = refusal(kind(field(name, .u8)).validate)
        #expect(
            error?.description
                == "the field's name '\(String(repeating: "n", count: 48))…' has 65 bytes: names have 1 to 64")
    }

    @Test(arguments: [
        (field("a", .varstring), "field 'a' (varstring) needs a max of 1 to 65,535 bytes; it has none"),
        (field("a", .varbytes, max: 65_536), "field 'a' (varbytes) needs a max of 1 to 65,535 bytes; 65536 was given"),
        (array("a", max: 0, .u8), "field 'a' (array) needs a max of 1 to 1,024 elements; it has none"),
        (array("a", max: 1_025, .u8), "field 'a' (array) needs a max of 1 to 1,024 elements; 1025 was given"),
        (field("a", .array, max: 3), "field 'a' is an array without an element: give it the type of one"),
        (
            array("a", max: 3, .varstring, elementMax: 9),
            "the elements of field 'a' are varstring: use a scalar, string, bytes or struct"
        ),
        (array("a", max: 3, .array), "the elements of field 'a' are array: use a scalar, string, bytes or struct"),
        (array("a", max: 3, .string), "field 'a[]' (string) needs a max of 1 to 65,535 bytes; it has none"),
        (array("a", max: 3, .u8, elementMax: 2), "field 'a[]' is a u8 and takes no max: leave it out"),
        (array("a", max: 3, .structure), "field 'a[]' is a struct without fields: give it 1 to 64"),
        (
            array("a", max: 3, .u8, [member("m", .u8)]),
            "field 'a[]' is a u8 and takes no fields of its own: leave them out"
        ),
        (
            array("a", max: 3, .structure, [member("m", .bytes)]),
            "field 'a[].m' (bytes) needs a max of 1 to 65,535 bytes; it has none"
        ),
        (structure("a"), "field 'a' is a struct without fields: give it 1 to 64"),
        (structure("a", member("", .u8)), "field 'a': the name '' is empty: names have 1 to 64 bytes"),
        (structure("a", member("1", .u8)), "field 'a': the name '1' must begin with a letter or _"),
        (
            structure("a", member("m", .u8), member("m", .u8)),
            "field 'a': the name 'm' is used twice: every field needs its own"
        ),
        (
            structure("a", member("m", .structure)),
            "field 'a.m' is a struct, which a struct cannot hold: use a scalar, string or bytes, or make it a field of the kind"
        ),
        (
            structure("a", member("m", .varstring, max: 4)),
            "field 'a.m' is a varstring, which a struct cannot hold: use a scalar, string or bytes, or make it a field of "
                + "the kind"
        ),
        (structure("a", member("m", .i8, max: 4)), "field 'a.m' is an i8 and takes no max: leave it out"),
        (
            FieldDefinition(name: "a", type: .structure, max: 4, members: [member("m", .u8)]),
            "field 'a' is a struct and takes no max: leave it out"
        ),
        (
            FieldDefinition(name: "a", type: .u8, element: .u8),
            "field 'a' is a u8 and takes no element: leave it out"
        ),
        (
            FieldDefinition(name: "a", type: .string, max: 3, members: [member("m", .u8)]),
            "field 'a' is a string and takes no fields of its own: leave them out"
        ),
    ])
    func invalidFields(_ field: FieldDefinition, _ sentence: String) {
        let error = refusal(kind(field).validate)
        #expect(error?.description == sentence)
        #expect(error?.code == .invalidDefinition)
        #expect(error?.field == "a")
    }

    @Test func the65thMemberIsNamed() {
        let members = (1...65).map { member("m\($0)", .u8) }
        let error = refusal(kind(FieldDefinition(name: "a", type: .structure, members: members)).validate)
        #expect(error?.code == .limitReached)
        #expect(error?.description == "field 'a': a struct has at most 64 fields; 'm65' would be the 65th")
        #expect(error?.member == 64)
    }

    /// 50 of header, the entries, and every variable field at its longest (K5).
    @Test func variableFieldsCountInFull() throws {
        let fields = (0..<15).map { field("big\($0)", .varbytes, max: 65_535) }
        let rest = 1_048_576 - 50 - 15 * 65_539 - 4
        try KindDefinition(name: "K", fields: fields + [field("rest", .varstring, max: rest)]).validate()
        let error = refusal(
            KindDefinition(name: "K", fields: fields + [field("rest", .varstring, max: rest + 1)]).validate)
        #expect(error?.code == .limitReached)
        #expect(
            error?.description
                == "field 'rest' makes the largest row 1,048,577 bytes; the limit is 1,048,576 (50 of header and the "
                + "data): use a smaller max")
        #expect(refusal(kind(array("a", max: 1_024, .bytes, elementMax: 1_021)).validate) == nil)
        #expect(refusal(kind(array("a", max: 1_024, .bytes, elementMax: 1_022)).validate)?.code == .limitReached)
    }

    @Test func eventStreamsAreNotAvailableYet() {
        let error = refusal(KindDefinition(name: "K", eventStream: true, fields: [field("a", .u8)]).validate)
        #expect(error?.code == .unsupported)
        #expect(error?.description == "event streams are not available yet: set event_stream to false")
    }

    @Test func the65thFieldIsNamed() {
        let error = refusal(KindDefinition(name: "K", fields: (1...65).map { field("f\($0)", .u8) }).validate)
        #expect(error?.code == .limitReached)
        #expect(error?.description == "a kind has at most 64 fields; 'f65' would be the 65th")
        #expect(error?.field == "f65")
    }

    /// 50 + 15 × 65,537 + 65,471 is 1 MiB; one byte more is refused (K5).
    @Test func theLargestRowIsOneMebibyte() throws {
        var fields = (0..<15).map { field("big\($0)", .bytes, max: 65_535) }
        fields.append(field("rest", .string, max: 1_048_576 - 50 - 15 * 65_537 - 2))
        try KindDefinition(name: "K", fields: fields).validate()
        #expect(try KindLayout(KindDefinition(name: "K", fields: fields)).fixedBytes == 1_048_526)
        fields.append(field("more", .u8))
        let error = refusal(KindDefinition(name: "K", fields: fields).validate)
        #expect(error?.code == .limitReached)
        #expect(
            error?.description
                == "field 'more' makes the largest row 1,048,577 bytes; the limit is 1,048,576 (50 of header and the "
                + "data): use a smaller max")
    }

    @Test func typeNamesAreThoseOfKindFiles() {
        let names = FieldType.allCases.map(\.name)
        #expect(
            names == [
                "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "string", "bytes",
                "varstring", "varbytes", "array", "struct",
            ])
        #expect(names.map(FieldType.init(name:)) == FieldType.allCases)
        #expect(FieldType.allCases.map(\.rawValue) == Array(1...18))
        #expect(FieldType(name: "U8") == nil)
    }

    @Test func suggestionsAreNearAndQuotesHarmless() {
        #expect(Sentence.nearest(to: "statsu", among: ["gate", "status"]) == "status")
        #expect(Sentence.nearest(to: "STATUS", among: ["gate", "status"]) == "status")
        #expect(Sentence.nearest(to: "colour", among: ["gate", "status"]) == nil)
        #expect(Sentence.nearest(to: String(repeating: "s", count: 1_000_000), among: ["status"]) == nil)
        #expect(Sentence.quote("a\u{1B}[31m\n") == "'a\\u{1b}[31m\\u{a}'")
        #expect(Sentence.grouped(0) == "0")
        #expect(Sentence.grouped(-1_234_567) == "-1,234,567")
    }
}
