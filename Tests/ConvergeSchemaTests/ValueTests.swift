import ConvergeSchema
import Testing

@Suite struct ValueTests {
    private func error(_ type: FieldType, max: Int = 0, _ value: Value) throws -> SchemaError? {
        let layout = try KindLayout(kind(field("x", type, max: max)))
        return refusal { () throws(SchemaError) in _ = try layout.encodeRow([("x", value)]) }
    }

    @Test func limitsOfIntegersFitAndTheNextDoesNot() throws {
        for type in FieldType.allCases {
            if let max = type.unsignedMax {
                #expect(try error(type, .unsigned(max)) == nil)
                #expect(try error(type, .unsigned(0)) == nil)
                #expect(try error(type, .signed(-1))?.code == .outOfRange)
                if max < .max { #expect(try error(type, .unsigned(max + 1))?.code == .outOfRange) }
            }
            if let range = type.signedRange {
                #expect(try error(type, .signed(range.lowerBound)) == nil)
                #expect(try error(type, .signed(range.upperBound)) == nil)
                #expect(try error(type, .unsigned(UInt128(range.upperBound))) == nil)
                #expect(try error(type, .unsigned(UInt128(range.upperBound) + 1))?.code == .outOfRange)
                if range.lowerBound > .min {
                    #expect(try error(type, .signed(range.lowerBound - 1))?.code == .outOfRange)
                }
            }
        }
    }

    @Test func theSentenceNamesFieldLimitAndValue() throws {
        let layout = try KindLayout(flight)
        let error = refusal { () throws(SchemaError) in
            _ = try layout.encodeRow([("delay_minutes", .signed(99_999))])
        }
        #expect(error?.description == "field 'delay_minutes' takes an i16 (-32768…32767); 99999 does not fit")
        #expect(error?.field == "delay_minutes")
    }

    @Test func everyTypeRefusesWhatItIsNot() throws {
        #expect(try error(.u8, .string("1"))?.description == "field 'x' takes a u8 (0…255), not a string")
        #expect(
            try error(.i64, .float(1))?.description
                == "field 'x' takes an i64 (-9223372036854775808…9223372036854775807), not a floating-point number")
        #expect(try error(.bool, .unsigned(1))?.description == "field 'x' takes a bool (true or false), not an integer")
        #expect(
            try error(.string, max: 9, .bytes([]))?.description
                == "field 'x' takes a string of at most 9 bytes, not bytes")
        #expect(
            try error(.bytes, max: 9, .bool(true))?.description
                == "field 'x' takes bytes, at most 9, not a bool")
        #expect(try error(.f64, .string("1"))?.code == .wrongType)
    }

    @Test func longValues() throws {
        #expect(try error(.string, max: 3, .string("abc")) == nil)
        let long = try error(.string, max: 3, .string("abé"))
        #expect(long?.code == .valueTooLong)
        #expect(long?.description == "field 'x' takes a string of at most 3 bytes; the value given has 4")
        #expect(try error(.bytes, max: 1, .bytes([1, 2]))?.code == .valueTooLong)
        #expect(try error(.bytes, max: 65_535, .bytes([UInt8](repeating: 1, count: 65_535))) == nil)
    }

    @Test func floats() throws {
        #expect(try error(.f32, .float(3.4e38)) == nil)
        #expect(
            try error(.f32, .float(1e39))?.description
                == "field 'x' takes an f32 (up to ±3.4028235e+38); 1e+39 does not fit")
        #expect(try error(.f32, .float(-.infinity)) == nil)
        let layout = try KindLayout(kind(field("x", .f64)))
        let row = try layout.encodeRow([("x", .float(.nan))])
        guard case .float(let number) = layout.decodeRow(row)[0] else {
            Issue.record("not a float")
            return
        }
        #expect(number.isNaN)
        #expect(try layout.decodeRow(layout.encodeRow([("x", .signed(-3))])) == [.float(-3)])
    }

    @Test func unknownAndRepeatedFields() throws {
        let layout = try KindLayout(flight)
        func encode(_ values: [(name: String, value: Value)]) -> [SchemaError?] {
            [
                refusal { () throws(SchemaError) in _ = try layout.encodeRow(values) },
                refusal { () throws(SchemaError) in _ = try layout.encodePatch(values) },
            ]
        }
        for error in encode([("statsu", .string("x"))]) {
            #expect(error?.code == .unknownField)
            #expect(error?.description == "kind 'Flight' has no field 'statsu'; did you mean 'status'?")
        }
        for error in encode([("altitude", .signed(1))]) {
            #expect(error?.description == "kind 'Flight' has no field 'altitude'")
        }
        for error in encode([("gate", .unsigned(1)), ("gate", .unsigned(1))]) {
            #expect(error?.code == .duplicateField)
            #expect(error?.description == "field 'gate' is given twice: give it once")
        }
    }

    @Test func valuesInsideOfFieldsAreNamedByTheirPath() throws {
        let layout = try KindLayout(
            kind(
                field("note", .varstring, max: 3), field("raw", .varbytes, max: 2), array("list", max: 2, .i8),
                structure("at", member("lat", .f64), member("port", .string, max: 3)),
                array("legs", max: 2, .structure, [member("x", .u8), member("tag", .bytes, max: 1)])))
        let cases: [(String, Value, String)] = [
            ("note", .string("abé"), "field 'note' takes a varstring of at most 3 bytes; the value given has 4"),
            ("note", .bytes([]), "field 'note' takes a varstring of at most 3 bytes, not bytes"),
            ("raw", .bytes([1, 2, 3]), "field 'raw' takes varbytes, at most 2; the value given has 3"),
            ("raw", .string(""), "field 'raw' takes varbytes, at most 2, not a string"),
            (
                "list", .array([.signed(0), .signed(0), .signed(0)]),
                "field 'list' takes an array of i8, at most 2 elements; the value given has 3"
            ),
            ("list", .signed(1), "field 'list' takes an array of i8, at most 2 elements, not an integer"),
            ("list", .array([.signed(1), .signed(128)]), "field 'list[1]' takes an i8 (-128…127); 128 does not fit"),
            ("list", .array([.array([])]), "field 'list[0]' takes an i8 (-128…127), not an array"),
            ("at", .bool(true), "field 'at' takes a struct (lat, port), not a bool"),
            ("at", .structure(["latt": .float(1)]), "field 'at' has no member 'latt'; did you mean 'lat'?"),
            (
                "at", .structure(["lat": .string("1")]),
                "field 'at.lat' takes an f64 (up to ±1.7976931348623157e+308), not a string"
            ),
            (
                "at", .structure(["port": .string("Kiel")]),
                "field 'at.port' takes a string of at most 3 bytes; the value given has 4"
            ),
            ("legs", .array([.unsigned(1)]), "field 'legs[0]' takes a struct (x, tag), not an integer"),
            (
                "legs", .array([.structure([:]), .structure(["x": .unsigned(256)])]),
                "field 'legs[1].x' takes a u8 (0…255); 256 does not fit"
            ),
            (
                "legs", .array([.structure(["tag": .bytes([1, 2])])]),
                "field 'legs[0].tag' takes bytes, at most 1; the value given has 2"
            ),
            ("legs", .array([.structure(["y": .unsigned(1)])]), "field 'legs[0]' has no member 'y'; did you mean 'x'?"),
        ]
        for (name, value, sentence) in cases {
            for error in [
                refusal { () throws(SchemaError) in _ = try layout.encodeRow([(name, value)]) },
                refusal { () throws(SchemaError) in _ = try layout.encodePatch([(name, value)]) },
            ] {
                #expect(error?.description == sentence)
                #expect(error?.field == name)
            }
        }
        #expect(try layout.encodeRow([("list", .array([.unsigned(1), .signed(-1)]))]).suffix(2) == [1, 0xFF])
    }

    @Test func zeroIsWhatAnEmptyRowHolds() throws {
        let fields = FieldType.allCases.map { anyField($0) }
        let layout = try KindLayout(KindDefinition(name: "K", fields: fields))
        #expect(try layout.decodeRow(layout.encodeRow([])) == fields.map(Value.zero(of:)))
    }
}
