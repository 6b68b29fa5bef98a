import ConvergeJSON
import ConvergeSchema
import Testing

/// Variable fields, arrays and structs as JSON and as CSV text.
@Suite struct NestedValuesTests {
    private let layout: KindLayout

    init() throws {
        let point = [
            MemberDefinition(name: "lat", type: .f32), MemberDefinition(name: "on", type: .bool),
            MemberDefinition(name: "port", type: .string, max: 6), MemberDefinition(name: "raw", type: .bytes, max: 2),
        ]
        layout = try KindLayout(
            KindDefinition(
                name: "Ship",
                fields: [
                    FieldDefinition(name: "note", type: .varstring, max: 9),
                    FieldDefinition(name: "blob", type: .varbytes, max: 3),
                    FieldDefinition(name: "at", type: .structure, members: point),
                    FieldDefinition(name: "alerts", type: .array, max: 3, element: .u128),
                    FieldDefinition(name: "tags", type: .array, max: 2, element: .string, elementMax: 4),
                    FieldDefinition(name: "route", type: .array, max: 2, element: .structure, members: point),
                    FieldDefinition(name: "speed", type: .f32),
                ]))
    }

    private func parsed(_ json: String) throws -> [Value] {
        try layout.decodeRow(layout.encodeRow(FieldValues.parse(Array(json.utf8), for: layout)))
    }

    @Test func aDocumentIsTheseValues() throws {
        let json = """
            { "note": "h\\u00e9", "blob": "hex:00ff", "at": {"port": "Kiel", "lat": 54.5},
              "alerts": [1, "340282366920938463463374607431768211455"], "tags": ["a", ""],
              "route": [{}, {"on": true, "raw": "hex:01", "lat": "-inf"}] }
            """
        #expect(
            try parsed(json) == [
                .string("hé"), .bytes([0, 255]),
                .structure(["lat": .float(54.5), "on": .bool(false), "port": .string("Kiel"), "raw": .bytes([])]),
                .array([.unsigned(1), .unsigned(.max)]), .array([.string("a"), .string("")]),
                .array([
                    .structure(["lat": .float(0), "on": .bool(false), "port": .string(""), "raw": .bytes([])]),
                    .structure([
                        "lat": .float(-.infinity), "on": .bool(true), "port": .string(""), "raw": .bytes([1]),
                    ]),
                ]), .float(0),
            ])
    }

    @Test func aRowIsThisObject() throws {
        let row = try layout.encodeRow([
            ("note", .string("a\"")), ("tags", .array([.string("x")])), ("at", .structure(["lat": .float(0.1)])),
            ("route", .array([.structure(["port": .string("Kiel")])])), ("alerts", .array([.unsigned(.max)])),
        ])
        var writer = JSONWriter()
        writer.row(row, layout)
        #expect(
            writer.text
                == #"{"note":"a\"","blob":"hex:","at":{"lat":0.1,"on":false,"port":"","raw":"hex:"},"#
                + #""alerts":[340282366920938463463374607431768211455],"tags":["x"],"#
                + #""route":[{"lat":0.0,"on":false,"port":"Kiel","raw":"hex:"}],"speed":0.0}"#)
    }

    @Test(arguments: [
        (#"{"note":"0123456789"}"#, "field 'note' takes a varstring of at most 9 bytes; the value given has 10"),
        (#"{"note":1}"#, "field 'note' takes a varstring of at most 9 bytes, not a number"),
        (
            #"{"blob":"00"}"#,
            "field 'blob' takes varbytes, at most 3, written as hex: and two digits a byte; '00' is not that"
        ),
        (#"{"blob":"hex:00000000"}"#, "field 'blob' takes varbytes, at most 3; the value given has 4"),
        (#"{"at":[]}"#, "field 'at' takes a struct (lat, on, port, raw), not an array"),
        (
            #"{"at":null}"#,
            "field 'at' takes a struct (lat, on, port, raw), not null: leave the field out to give no value"
        ),
        (#"{"at":{"prt":"x"}}"#, "field 'at' has no member 'prt'; did you mean 'port'?"),
        (#"{"at":{"altitude":1}}"#, "field 'at' has no member 'altitude'"),
        (#"{"at":{"on":true,"on":true}}"#, "'on' is given twice: give it once"),
        (#"{"at":{"on":1}}"#, "field 'at.on' takes a bool (true or false), not a number"),
        (#"{"at":{"port":"Hamburg"}}"#, "field 'at.port' takes a string of at most 6 bytes; the value given has 7"),
        (#"{"at":{"lat":{}}}"#, "field 'at.lat' takes an f32 (up to ±3.4028235e+38), not an object"),
        (
            #"{"at":{"on":null}}"#,
            "field 'at.on' takes a bool (true or false), not null: leave the field out to give no value"
        ),
        (#"{"alerts":7}"#, "field 'alerts' takes an array of u128, at most 3 elements, not a number"),
        (
            #"{"alerts":[1,2,3,4,[5]]}"#,
            "field 'alerts' takes an array of u128, at most 3 elements; the value given has 5"
        ),
        (
            #"{"alerts":[1,-2]}"#,
            "field 'alerts[1]' takes a u128 (0…340282366920938463463374607431768211455); -2 does not fit"
        ),
        (#"{"tags":["ok","tööl"]}"#, "field 'tags[1]' takes a string of at most 4 bytes; the value given has 6"),
        (#"{"tags":["ok",["no"]]}"#, "field 'tags[1]' takes a string of at most 4 bytes, not an array"),
        (#"{"route":[{},7]}"#, "field 'route[1]' takes a struct (lat, on, port, raw), not a number"),
        (#"{"route":[{"x":1}]}"#, "field 'route[0]' has no member 'x'"),
        (
            #"{"route":[{},{"lat":"x"}]}"#,
            "field 'route[1].lat' takes an f32 (up to ±3.4028235e+38); 'x' is not a number"
        ),
        (#"{"route":[{},"#, "malformed JSON at column 14: expected a value, and the text ends here"),
    ])
    func refusals(_ json: String, _ sentence: String) {
        let error = refusal { () throws(JSONInputError) in _ = try FieldValues.parse(Array(json.utf8), for: layout) }
        #expect(error?.description == sentence)
    }

    /// An error of an element stands where the element does.
    @Test func theLineIsThatOfTheElement() {
        let json = "{\n\"alerts\": [\n1,\n-1 ]}"
        let error = refusal { () throws(JSONInputError) in
            _ = try FieldValues.parse(Array(json.utf8), for: layout, file: "ship.json")
        }
        #expect(error?.description.hasPrefix("ship.json:4: field 'alerts[1]' takes") == true)
    }

    /// JSON and CSV text of a row give the same row again.
    @Test(arguments: UInt64(1)...200)
    func rowsRoundTripThroughText(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        func text(_ max: Int) -> Value {
            .string(
                String(
                    (0..<Int.random(in: 0...max, using: &random)).map { _ in
                        "\"a\\,\n\u{1}z".randomElement(using: &random)!
                    }))
        }
        func bytes(_ max: Int) -> Value {
            .bytes((0..<Int.random(in: 0...max, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        func point() -> Value {
            .structure([
                "lat": .float(Double(Float.random(in: -1e6...1e6, using: &random))),
                "on": .bool(Bool.random(using: &random)), "port": text(6), "raw": bytes(2),
            ])
        }
        func list(_ max: Int, _ element: () -> Value) -> Value {
            .array((0..<Int.random(in: 0...max, using: &random)).map { _ in element() })
        }
        var values: [Value] = []
        values.append(text(9))
        values.append(bytes(3))
        values.append(point())
        values.append(list(3) { .unsigned(UInt128(random.next()) << 64 | UInt128(random.next())) })
        values.append(list(2) { text(4) })
        values.append(list(2) { point() })
        values.append(.float(0.5))
        let row = try layout.encodeRow(zip(layout.fields, values).map { ($0.name, $1) })
        #expect(layout.decodeRow(row) == values)

        var writer = JSONWriter()
        writer.row(row, layout)
        #expect(try layout.encodeRow(FieldValues.parse(writer.bytes, for: layout)) == row, "seed \(seed)")

        var texts: [(name: String, value: Value)] = []
        for (field, value) in zip(layout.fields, values) {
            guard let read = try FieldText.value(FieldText.text(value, of: field), of: field) else { continue }
            texts.append((field.name, read))
        }
        #expect(try layout.encodeRow(texts) == row, "seed \(seed)")
    }
}
