import ConvergeSchema
import Testing

@Suite struct ValueTests {
    private func error(_ type: FieldType, max: Int = 0, _ value: Value) throws -> SchemaError? {
        let layout = try KindLayout(kind(field("x", type, max: max)))
        return refusal { () throws(SchemaError) in _ = try layout.encodeRow([("x", value)]) }
    }

    @Test func limitsOfIntegersFitAndTheNextDoesNot() throws {
        for type in FieldType.allCases where type.isAvailable {
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

    @Test func zeroIsWhatAnEmptyRowHolds() throws {
        let types = FieldType.allCases.filter(\.isAvailable)
        let layout = try KindLayout(
            KindDefinition(name: "K", fields: types.map { field($0.name, $0, max: $0.hasMax ? 4 : 0) }))
        #expect(try layout.decodeRow(layout.encodeRow([])) == types.map(Value.zero(of:)))
    }
}
