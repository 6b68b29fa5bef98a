import ConvergeJSON
import ConvergeSchema
import Testing

@Suite struct KindFileTests {
    private func error(_ text: String) -> String {
        refusal { () throws(JSONInputError) in _ = try KindFile.parse(Array(text.utf8), file: "k.json") }?.description
            ?? "accepted"
    }

    @Test func everyKeyIsRead() throws {
        let text = """
            { "name": "Flight", "durability": "ephemeral", "event_stream": false,
              "fields": [ { "name": "status", "type": "string", "max": 12 },
                          { "max": 4, "owners": [2, 0, 63], "on_retract": "clear", "type": "bytes", "name": "gate" } ] }
            """
        let expected = KindDefinition(
            name: "Flight", durability: .ephemeral,
            fields: [
                FieldDefinition(name: "status", type: .string, max: 12),
                FieldDefinition(name: "gate", type: .bytes, max: 4, owners: 1 << 63 | 0b101, onRetract: .clear),
            ])
        #expect(try KindFile.parse(Array(text.utf8), file: "k.json") == expected)
        let least = #"{"name":"K","fields":[{"name":"a","type":"u8"}]}"#
        #expect(
            try KindFile.parse(Array(least.utf8), file: "k.json")
                == KindDefinition(name: "K", fields: [FieldDefinition(name: "a", type: .u8)]))
    }

    /// The kind with its third line replaced: errors must name that line.
    private func errorInLine3(_ line: String) -> String {
        let text = error("{ \"name\": \"K\", \"fields\": [\n  { \"name\": \"a\", \"type\": \"u8\" },\n  \(line)\n] }")
        guard text.hasPrefix("k.json:3: ") else { return "not in line 3: \(text)" }
        return String(text.dropFirst("k.json:3: ".count))
    }

    @Test(
        arguments: [
            (#"{ "name": "b" "type": "u8" }"#, "malformed JSON at column 17: expected ',' or '}', found '\"'"),
            (
                #"{ "name": "b", "type": "u8", }"#,
                "malformed JSON at column 32: no comma may stand before '}'"
            ),
            (#"{ "name": "b", "type": "i17" }"#, "fields[1].type: 'i17' is not known; did you mean 'i16'?"),
            (
                #"{ "name": "b", "type": "integer" }"#,
                "fields[1].type: 'integer' is not known; did you mean 'i64'?"
            ),
            (#"{ "name": "b", "type": "text" }"#, "fields[1].type: 'text' is not known; did you mean 'string'?"),
            (
                #"{ "name": "b", "type": "decimal" }"#,
                "fields[1].type: 'decimal' is not known: use one of u8, u16, u32, u64, u128, i8, i16, i32, i64, f32, f64, bool, "
                    + "string, bytes, varstring, varbytes, array, struct"
            ),
            (#"{ "type": "u8" }"#, #"fields[1] has no "name": add one"#),
            (#"{ "name": "b" }"#, #"fields[1] has no "type": add one"#),
            (#"{ "name": 7, "type": "u8" }"#, "fields[1].name: takes a string, not a number"),
            (#"{ "name": "b", "type": null }"#, "fields[1].type: takes a string, not null"),
            (#"[]"#, "fields[1]: takes an object, not an array"),
            (
                #"{ "name": "b", "type": "string", "max": 0 }"#,
                "fields[1].max: takes a whole number of bytes, 1 to 65,535; 0 was given"
            ),
            (
                #"{ "name": "b", "type": "string", "max": 65536 }"#,
                "fields[1].max: takes a whole number of bytes, 1 to 65,535; 65536 was given"
            ),
            (
                #"{ "name": "b", "type": "string", "max": 1e400 }"#,
                "fields[1].max: takes a whole number of bytes, 1 to 65,535; 1e400 was given"
            ),
            (#"{ "name": "b", "type": "string", "max": "12" }"#, "fields[1].max: takes a number, not a string"),
            (
                #"{ "name": "b", "type": "string" }"#,
                "field 'b' (string) needs a max of 1 to 65,535 bytes; it has none"
            ),
            (#"{ "name": "b", "type": "u8", "max": 3 }"#, "field 'b' is a u8 and takes no max: leave it out"),
            (#"{ "name": "b", "typ": "u8" }"#, "fields[1]: unknown key 'typ'; did you mean 'type'?"),
            (
                #"{ "name": "b", "comment": "" }"#,
                "fields[1]: unknown key 'comment': use one of name, type, max, owners, on_retract, element, fields"
            ),
            (#"{ "name": "b", "name": "c" }"#, "the key 'name' is there twice: keep one of them"),
            (#"{ "name": "a", "type": "u8" }"#, "the name 'a' is used by two fields: every field needs its own"),
            (#"{ "name": "1", "type": "u8" }"#, "the field's name '1' must begin with a letter or _"),
            (
                #"{ "name": "b", "type": "u8", "owners": [64] }"#,
                "fields[1].owners: sources are numbered 0 to 63; 64 was given"
            ),
            (
                #"{ "name": "b", "type": "u8", "owners": [-1] }"#,
                "fields[1].owners: sources are numbered 0 to 63; -1 was given"
            ),
            (
                #"{ "name": "b", "type": "u8", "owners": ["x"] }"#,
                "fields[1].owners: takes source numbers, 0 to 63, not a string"
            ),
            (
                #"{ "name": "b", "type": "u8", "owners": [1, 1] }"#,
                "fields[1].owners: source 1 is there twice: keep one of them"
            ),
            (
                #"{ "name": "b", "type": "u8", "owners": [] }"#,
                "fields[1].owners: the list is empty: leave it out to let every source write the field"
            ),
            (
                #"{ "name": "b", "type": "u8", "owners": 3 }"#,
                "fields[1].owners: takes an array of sources, e.g. [3], not a number"
            ),
            (
                #"{ "name": "b", "type": "u8", "on_retract": "cleer" }"#,
                "fields[1].on_retract: 'cleer' is not known; did you mean 'clear'?"
            ),
            (
                #"{ "name": "b", "type": "varstring" }"#,
                "field 'b' (varstring) needs a max of 1 to 65,535 bytes; it has none"
            ),
            (
                #"{ "name": "b", "type": "varbytes", "max": 70000 }"#,
                "fields[1].max: takes a whole number of bytes, 1 to 65,535; 70000 was given"
            ),
            (
                #"{ "name": "b", "max": 1025, "type": "array", "element": { "type": "u8" } }"#,
                "fields[1].max: takes a whole number of elements, 1 to 1,024; 1025 was given"
            ),
            (
                #"{ "name": "b", "type": "array", "element": { "type": "u8" } }"#,
                "field 'b' (array) needs a max of 1 to 1,024 elements; it has none"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3 }"#,
                "field 'b' is an array without an element: give it the type of one"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": "u8" }"#,
                "fields[1].element: takes an object, not a string"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": {} }"#,
                #"fields[1].element has no "type": add one"#
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "u31" } }"#,
                "fields[1].element.type: 'u31' is not known; did you mean 'u32'?"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "decimal" } }"#,
                "fields[1].element.type: 'decimal' is not known: use one of u8, u16, u32, u64, u128, i8, i16, i32, i64, f32, "
                    + "f64, bool, string, bytes, struct"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "varstring", "max": 3 } }"#,
                "the elements of field 'b' are varstring: use a scalar, string, bytes or struct"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "string" } }"#,
                "field 'b[]' (string) needs a max of 1 to 65,535 bytes; it has none"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "string", "max": 0 } }"#,
                "fields[1].element.max: takes a whole number of bytes, 1 to 65,535; 0 was given"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "typ": "u8" } }"#,
                "fields[1].element: unknown key 'typ'; did you mean 'type'?"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "u8", "name": "c" } }"#,
                "fields[1].element: unknown key 'name': use one of type, max, fields"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "struct" } }"#,
                "field 'b[]' is a struct without fields: give it 1 to 64"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "u8", "fields": [{"name":"x","type":"u8"}] } }"#,
                "field 'b[]' is a u8 and takes no fields of its own: leave them out"
            ),
            (
                #"{ "name": "b", "type": "array", "max": 3, "element": { "type": "struct" }, "fields": [] }"#,
                "fields[1].fields: the fields of an array's struct stand in its \"element\": move them there"
            ),
            (#"{ "name": "b", "type": "struct" }"#, "field 'b' is a struct without fields: give it 1 to 64"),
            (
                #"{ "name": "b", "type": "struct", "fields": [] }"#,
                "field 'b' is a struct without fields: give it 1 to 64"
            ),
            (#"{ "name": "b", "type": "struct", "fields": {} }"#, "fields[1].fields: takes an array, not an object"),
            (
                #"{ "name": "b", "type": "struct", "fields": [7] }"#,
                "fields[1].fields[0]: takes an object, not a number"
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"u8"},{"type":"u8"}] }"#,
                #"fields[1].fields[1] has no "name": add one"#
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x"}] }"#,
                #"fields[1].fields[0] has no "type": add one"#
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"f65"}] }"#,
                "fields[1].fields[0].type: 'f65' is not known; did you mean 'f64'?"
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"array","max":3}] }"#,
                "field 'b.x' is an array, which a struct cannot hold: use a scalar, string or bytes, or make it a field of the "
                    + "kind"
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"bytes"}] }"#,
                "field 'b.x' (bytes) needs a max of 1 to 65,535 bytes; it has none"
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"u8","owners":[1]}] }"#,
                "fields[1].fields[0]: unknown key 'owners': use one of name, type, max"
            ),
            (
                #"{ "name": "b", "type": "struct", "fields": [{"name":"x","type":"u8"},{"name":"x","type":"u8"}] }"#,
                "field 'b': the name 'x' is used twice: every field needs its own"
            ),
            (
                #"{ "name": "b", "type": "u8", "element": { "type": "u8" } }"#,
                "field 'b' is a u8 and takes no element: leave it out"
            ),
            (
                #"{ "name": "b", "type": "u8", "fields": [{"name":"x","type":"u8"}] }"#,
                "field 'b' is a u8 and takes no fields of its own: leave them out"
            ),
        ])
    func errorsInLine3(_ line: String, _ sentence: String) { #expect(errorInLine3(line) == sentence) }

    /// A value on a line of its own is the line that is named, not the one its field begins in.
    @Test func theLineIsThatOfTheValue() {
        let text = "{\n\"name\": \"K\",\n\"fields\": [\n{\n\"name\":\n\"9\",\n\"type\": \"u8\" } ] }"
        #expect(error(text) == "k.json:6: the field's name '9' must begin with a letter or _")
        let withoutMax = "{\"name\": \"K\", \"fields\": [{\n\"name\": \"a\",\n\"type\": \"bytes\" } ] }"
        #expect(error(withoutMax) == "k.json:3: field 'a' (bytes) needs a max of 1 to 65,535 bytes; it has none")
    }

    /// A part of a struct or of an element is named with its own line.
    @Test func theLineIsThatOfTheInnerValue() {
        let text = """
            {"name": "K", "fields": [
            { "name": "a", "type": "array", "max": 3,
              "element": {
                "type": "struct",
                "fields": [
                  { "name": "x", "type": "u8" },
                  { "name": "y",
                    "type": "bytes" } ] } } ] }
            """
        #expect(error(text) == "k.json:8: field 'a[].y' (bytes) needs a max of 1 to 65,535 bytes; it has none")
        #expect(
            error(text.replacing(#""bytes""#, with: #""u8", "max": 4"#))
                == "k.json:8: field 'a[].y' is a u8 and takes no max: leave it out")
        #expect(
            error(text.replacing(#""name": "y""#, with: #""name": "x""#))
                == "k.json:7: field 'a[]': the name 'x' is used twice: every field needs its own")
        let empty = text.split(separator: "\n").prefix(4).joined(separator: "\n") + " \n\"fields\": [] } } ] }"
        #expect(error(empty) == "k.json:5: field 'a[]' is a struct without fields: give it 1 to 64")
    }

    @Test func nestedKindsAreRead() throws {
        let text = """
            { "name": "Ship", "fields": [
              { "name": "note", "type": "varstring", "max": 4000 },
              { "name": "blob", "type": "varbytes", "max": 65535, "owners": [3] },
              { "name": "position", "type": "struct", "fields": [{ "name": "lat", "type": "f64" }, { "name": "port", "type": "string", "max": 4 }] },
              { "name": "alerts", "type": "array", "max": 8, "element": { "type": "u32" } },
              { "name": "tags", "type": "array", "max": 8, "element": { "type": "string", "max": 6 } },
              { "name": "route", "type": "array", "max": 1024, "element": { "type": "struct", "fields": [{ "name": "eta", "type": "u64" }] } }
            ] }
            """
        let expected = KindDefinition(
            name: "Ship",
            fields: [
                FieldDefinition(name: "note", type: .varstring, max: 4_000),
                FieldDefinition(name: "blob", type: .varbytes, max: 65_535, owners: 8),
                FieldDefinition(
                    name: "position", type: .structure,
                    members: [
                        MemberDefinition(name: "lat", type: .f64),
                        MemberDefinition(name: "port", type: .string, max: 4),
                    ]),
                FieldDefinition(name: "alerts", type: .array, max: 8, element: .u32),
                FieldDefinition(name: "tags", type: .array, max: 8, element: .string, elementMax: 6),
                FieldDefinition(
                    name: "route", type: .array, max: 1_024, element: .structure,
                    members: [MemberDefinition(name: "eta", type: .u64)]),
            ])
        #expect(try KindFile.parse(Array(text.utf8), file: "k.json") == expected)
        let lines = KindFile.render(expected).split(separator: "\n")
        #expect(lines[6] == "  " + text.split(separator: "\n")[3])
        #expect(try KindFile.parse(Array(KindFile.render(expected).utf8), file: "k.json") == expected)
    }

    @Test(arguments: [
        ("", "k.json:1: malformed JSON at column 1: expected a value, and the text ends here"),
        ("\n[]", "k.json:2: a kind file holds one JSON object, not an array"),
        ("{}", #"k.json:1: the kind has no "name": add one"#),
        (#"{"name":"K"}"#, #"k.json:1: the kind has no "fields": add one"#),
        ("{\"name\":\"K\",\n\"fields\":[]}", "k.json:2: kind 'K' has no fields: give it 1 to 64"),
        ("{\"name\":\n\"\",\"fields\":[]}", "k.json:2: the kind's name '' is empty: names have 1 to 64 bytes"),
        ("{\n\"feilds\":[]}", "k.json:2: unknown key 'feilds'; did you mean 'fields'?"),
        (
            "{\n\n\"color\":1}",
            "k.json:3: unknown key 'color': use one of name, durability, event_stream, fields"
        ),
        (
            #"{"durability":"Durable"}"#,
            "k.json:1: durability: 'Durable' is not known; did you mean 'durable'?"
        ),
        (#"{"event_stream":1}"#, "k.json:1: event_stream: takes true or false, not a number"),
        (
            "{\"name\":\"K\",\"fields\":[{\"name\":\"a\",\"type\":\"u8\"}],\n\"event_stream\":true}",
            "k.json:2: event streams are not available yet: set event_stream to false"
        ),
        (
            #"{"name":"K","fields":[]} x"#,
            "k.json:1: malformed JSON at column 26: expected the end of the text, found 'x'"
        ),
    ])
    func errorsOfTheKind(_ text: String, _ sentence: String) { #expect(error(text) == sentence) }

    @Test func the65thFieldIsNamedWithItsLine() {
        let fields = (1...65).map { "{\"name\":\"f\($0)\",\"type\":\"u8\"}" }.joined(separator: ",\n")
        #expect(
            error("{\"name\":\"K\",\"fields\":[\n\(fields)]}")
                == "k.json:66: a kind has at most 64 fields; 'f65' would be the 65th")
    }

    @Test func largeFilesAreRefused() {
        #expect(
            error(String(repeating: " ", count: 1_048_577))
                == "k.json:1: the file has 1,048,577 bytes; a kind file has at most 1 MiB")
    }

    @Test func renderedKindsAreReadable() {
        let kind = KindDefinition(
            name: "Flight",
            fields: [
                FieldDefinition(name: "status", type: .string, max: 12),
                FieldDefinition(name: "gate", type: .u8, owners: 0b101, onRetract: .clear),
            ])
        #expect(
            KindFile.render(kind) == """
                { "name": "Flight",
                  "durability": "durable",
                  "event_stream": false,
                  "fields": [
                    { "name": "status", "type": "string", "max": 12 },
                    { "name": "gate", "type": "u8", "owners": [0, 2], "on_retract": "clear" }
                  ] }

                """)
    }

    @Test(arguments: UInt64(1)...100)
    func renderedKindsParseBack(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        func max(_ type: FieldType) -> Int { type.hasMax ? Int.random(in: 1...20, using: &random) : 0 }
        let fields = (0..<Int.random(in: 1...64, using: &random)).map { ordinal in
            let type = FieldType.allCases.randomElement(using: &random)!
            var field = FieldDefinition(
                name: "f.\(ordinal)", type: type, max: max(type),
                owners: Bool.random(using: &random) ? random.next() : 0,
                onRetract: OnRetract.allCases.randomElement(using: &random)!)
            if type == .array {
                field.element = FieldType.allCases.filter(\.isElement).randomElement(using: &random)!
                field.elementMax = max(field.element!)
            }
            if type == .structure || field.element == .structure {
                field.members = (0..<Int.random(in: 1...5, using: &random)).map { index in
                    let type = FieldType.allCases.filter(\.isInline).randomElement(using: &random)!
                    return MemberDefinition(name: "m\(index)", type: type, max: max(type))
                }
            }
            return field
        }
        let kind = KindDefinition(
            name: "convergedb_x", durability: Durability.allCases.randomElement(using: &random)!, fields: fields)
        let parsed = try KindFile.parse(Array(KindFile.render(kind).utf8), file: "k.json")
        #expect(parsed == kind, "seed \(seed)")
    }
}
