import ConvergeJSON
import ConvergeSchema
import Testing

private let types: [FieldType] = FieldType.allCases.filter(\.isInline)

/// A field of every inline type, named after it; strings and bytes of at most 8.
private func everyType() throws -> KindLayout {
    let fields = types.map { FieldDefinition(name: $0.name, type: $0, max: $0.hasMax ? 8 : 0) }
    return try KindLayout(KindDefinition(name: "All", fields: fields))
}

@Suite struct FieldValuesTests {
    private let layout: KindLayout

    init() throws { layout = try everyType() }

    private func values(_ json: String) throws -> [String: Value] {
        let values = try FieldValues.parse(Array(json.utf8), for: layout)
        return Dictionary(uniqueKeysWithValues: values.map { ($0.name, $0.value) })
    }

    private func error(_ json: String) -> JSONInputError? {
        refusal { () throws(JSONInputError) in _ = try FieldValues.parse(Array(json.utf8), for: layout) }
    }

    @Test(arguments: [
        (#"{"u64":18446744073709551615}"#, "u64", Value.unsigned(UInt128(UInt64.max))),
        (#"{"u128":340282366920938463463374607431768211455}"#, "u128", .unsigned(.max)),
        (#"{"u128":"340282366920938463463374607431768211455"}"#, "u128", .unsigned(.max)),
        (#"{"i64":-9223372036854775808}"#, "i64", .signed(.min)),
        (#"{"i64":"9223372036854775807"}"#, "i64", .signed(.max)),
        (#"{"u8":-0}"#, "u8", .unsigned(0)),
        (#"{"f64":-0}"#, "f64", .float(-0.0)),
        (#"{"f64":5e-324}"#, "f64", .float(.leastNonzeroMagnitude)),
        (#"{"f64":"-inf"}"#, "f64", .float(-.infinity)),
        (#"{"f32":0.1}"#, "f32", .float(Double(Float(0.1)))),
        (#"{"f32":"1.5"}"#, "f32", .float(1.5)),
        (#"{"bool":true}"#, "bool", .bool(true)),
        (#"{"string":"\u00e9"}"#, "string", .string("é")),
        (#"{"bytes":"hex:00fF"}"#, "bytes", .bytes([0, 255])),
        (#"{"bytes":"hex:"}"#, "bytes", .bytes([])),
    ])
    func values(_ json: String, _ name: String, _ value: Value) throws {
        #expect(try values(json) == [name: value])
    }

    @Test(arguments: [
        (#"{"i16":99999}"#, "field 'i16' takes an i16 (-32768…32767); 99999 does not fit"),
        (#"{"i8":-129}"#, "field 'i8' takes an i8 (-128…127); -129 does not fit"),
        (#"{"u8":256}"#, "field 'u8' takes a u8 (0…255); 256 does not fit"),
        (#"{"u8":-1}"#, "field 'u8' takes a u8 (0…255); -1 does not fit"),
        (
            #"{"u64":18446744073709551616}"#,
            "field 'u64' takes a u64 (0…18446744073709551615); 18446744073709551616 does not fit"
        ),
        (
            #"{"u128":340282366920938463463374607431768211456}"#,
            "field 'u128' takes a u128 (0…340282366920938463463374607431768211455); "
                + "340282366920938463463374607431768211456 does not fit"
        ),
        (
            #"{"i64":9223372036854775808}"#,
            "field 'i64' takes an i64 (-9223372036854775808…9223372036854775807); 9223372036854775808 does not fit"
        ),
        (#"{"u8":1.0}"#, "field 'u8' takes a u8 (0…255); '1.0' is not a whole number"),
        (#"{"u8":1e2}"#, "field 'u8' takes a u8 (0…255); '1e2' is not a whole number"),
        (#"{"u8":"x"}"#, "field 'u8' takes a u8 (0…255); 'x' is not a whole number"),
        (#"{"u8":""}"#, "field 'u8' takes a u8 (0…255); '' is not a whole number"),
        (#"{"u8":true}"#, "field 'u8' takes a u8 (0…255), not a bool"),
        (#"{"u8":[1]}"#, "field 'u8' takes a u8 (0…255), not an array"),
        (#"{"f64":1e400}"#, "field 'f64' takes an f64 (up to ±1.7976931348623157e+308); 1e400 does not fit"),
        (#"{"f32":1e39}"#, "field 'f32' takes an f32 (up to ±3.4028235e+38); 1e39 does not fit"),
        (
            #"{"f64":"infinity"}"#,
            "field 'f64' takes an f64 (up to ±1.7976931348623157e+308); 'infinity' is not a number"
        ),
        (#"{"bool":1}"#, "field 'bool' takes a bool (true or false), not a number"),
        (#"{"bool":"true"}"#, "field 'bool' takes a bool (true or false), not a string"),
        (#"{"string":1}"#, "field 'string' takes a string of at most 8 bytes, not a number"),
        (#"{"string":"123456789"}"#, "field 'string' takes a string of at most 8 bytes; the value given has 9"),
        (
            #"{"string":null}"#,
            "field 'string' takes a string of at most 8 bytes, not null: leave the field out to give no value"
        ),
        (#"{"u8":null}"#, "field 'u8' takes a u8 (0…255), not null: leave the field out to give no value"),
        (
            #"{"bytes":"00"}"#,
            "field 'bytes' takes bytes, at most 8, written as hex: and two digits a byte; '00' is not that"
        ),
        (
            #"{"bytes":"hex:0"}"#,
            "field 'bytes' takes bytes, at most 8, written as hex: and two digits a byte; 'hex:0' is not that"
        ),
        (
            #"{"bytes":"hex:0g"}"#,
            "field 'bytes' takes bytes, at most 8, written as hex: and two digits a byte; 'hex:0g' is not that"
        ),
        (#"{"bytes":"hex:000102030405060708"}"#, "field 'bytes' takes bytes, at most 8; the value given has 9"),
        (#"{"strin":"x"}"#, "kind 'All' has no field 'strin'; did you mean 'string'?"),
        (#"{"delay":1}"#, "kind 'All' has no field 'delay'"),
        (#"{"u8":1,"u8":1}"#, "'u8' is given twice: give it once"),
        (#"[1]"#, "the fields of kind 'All' are given as a JSON object, not an array"),
        (#"{"u8":1"#, "malformed JSON at column 8: expected ',' or '}', and the text ends here"),
        (#"{"u8":1} x"#, "malformed JSON at column 10: expected the end of the text, found 'x'"),
    ])
    func refusals(_ json: String, _ sentence: String) { #expect(error(json)?.description == sentence) }

    @Test func codesAreThoseOfTheSchema() {
        #expect(error(#"{"i16":99999}"#)?.code == .outOfRange)
        #expect(error(#"{"string":"123456789"}"#)?.code == .valueTooLong)
        #expect(error(#"{"u8":"x"}"#)?.code == .wrongType)
        #expect(error(#"{"x":1}"#)?.code == .unknownField)
        #expect(error(#"{"u8":1,"u8":1}"#)?.code == .duplicateField)
        #expect(error(#"{"#)?.code == nil)
    }

    @Test func aFileIsNamedWithItsLine() {
        let error = refusal { () throws(JSONInputError) in
            _ = try FieldValues.parse(Array(#"{"u8":256}"#.utf8), for: layout, file: "rows.ndjson", line: 17)
        }
        #expect(error?.description == "rows.ndjson:17: field 'u8' takes a u8 (0…255); 256 does not fit")
    }

    @Test func recordsGiveTheTextOfIdColumns() throws {
        let json = #"{"u8":7,"carrier":"UA","n":1545,"string":"x","late":true}"#
        let record = try FieldValues.parseRecord(
            Array(json.utf8), for: layout, columns: ["carrier", "n", "u8", "late", "absent"])
        #expect(record.columns == ["UA", "1545", "7", "true", nil])
        #expect(record.values.map(\.name) == ["u8", "string"])
        #expect(record.values.map(\.value) == [.unsigned(7), .string("x")])

        func refused(_ json: String) -> String? {
            refusal { () throws(JSONInputError) in
                _ = try FieldValues.parseRecord(Array(json.utf8), for: layout, columns: ["id"])
            }?.description
        }
        #expect(refused(#"{"id":null}"#) == "'id' is part of the id and takes a string or number, not null")
        #expect(refused(#"{"id":1,"id":1}"#) == "'id' is given twice: give it once")
        #expect(refused(#"{"x":1}"#) == "kind 'All' has no field 'x'")
    }

    /// JSON and CSV text of a row give the same row again.
    @Test(arguments: UInt64(1)...200)
    func rowsRoundTripThroughText(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var row = (0..<layout.fixedBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        let given = try layout.encodeRow([
            ("bool", .bool(Bool.random(using: &random))), ("string", .string("\"é,\n")), ("bytes", .bytes([1, 0xFE])),
        ])
        for name in ["bool", "string", "bytes"] {
            let ordinal = try #require(layout.ordinal(of: name))
            let range = layout.offsets[ordinal]..<layout.offsets[ordinal] + layout.sizes[ordinal]
            row.replaceSubrange(range, with: given[range])
        }
        let values = layout.decodeRow(row)
        if values.contains(where: { if case .float(let number) = $0 { number.isNaN } else { false } }) { return }

        var writer = JSONWriter()
        writer.row(row, layout)
        #expect(try layout.encodeRow(FieldValues.parse(writer.bytes, for: layout)) == row, "seed \(seed)")
        var second = JSONWriter()
        second.row(values, layout)
        #expect(second.bytes == writer.bytes)

        let texts = try zip(layout.fields, values).map { field, value in
            (name: field.name, value: try #require(try FieldText.value(FieldText.text(value, of: field), of: field)))
        }
        #expect(try layout.encodeRow(texts) == row, "seed \(seed)")
    }

    @Test func aRowIsThisObject() throws {
        let row = try layout.encodeRow([
            ("u128", .unsigned(.max)), ("u64", .unsigned(9_007_199_254_740_993)), ("f32", .float(0.1)),
            ("f64", .float(.nan)), ("string", .string("a\"")), ("bytes", .bytes([255])), ("i64", .signed(.min)),
        ])
        var writer = JSONWriter()
        writer.row(row, layout)
        #expect(
            writer.text
                == #"{"u8":0,"u16":0,"u32":0,"u64":9007199254740993,"u128":340282366920938463463374607431768211455,"#
                + #""i8":0,"i16":0,"i32":0,"i64":-9223372036854775808,"f32":0.1,"f64":"nan","bool":false,"#
                + #""string":"a\"","bytes":"hex:ff"}"#)
    }
}
