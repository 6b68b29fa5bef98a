import ConvergeJSON
import ConvergeSchema
import Testing

@Suite struct FieldTextTests {
    private func value(_ text: String, _ type: FieldType) throws -> Value? {
        var field = FieldDefinition(name: "x", type: type, max: type.hasMax ? 8 : 0)
        if type == .array { field.element = .u8 }
        if type == .structure { field.members = [MemberDefinition(name: "a", type: .f32)] }
        return try FieldText.value(text, of: field)
    }

    private func error(_ text: String, _ type: FieldType) -> String? {
        do {
            _ = try value(text, type)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func anEmptyColumnGivesNoValue() throws {
        for type in FieldType.allCases { #expect(try value("", type) == nil) }
    }

    @Test func columnsAreRead() throws {
        #expect(try value("0515", .u16) == .unsigned(515))
        #expect(try value("+5", .i8) == .signed(5))
        #expect(try value("-128", .i8) == .signed(-128))
        #expect(try value("-0", .u8) == .unsigned(0))
        #expect(try value("1e3", .f64) == .float(1000))
        #expect(try value("inf", .f32) == .float(.infinity))
        #expect(try value("true", .bool) == .bool(true))
        #expect(try value("0", .bool) == .bool(false))
        #expect(try value(" on ", .string) == .string(" on "))
        #expect(try value("hex:0102", .bytes) == .bytes([1, 2]))
        #expect(try value(" [on] ", .varstring) == .string(" [on] "))
        #expect(try value("hex:03", .varbytes) == .bytes([3]))
        #expect(try value(" [1, 2] ", .array) == .array([.unsigned(1), .unsigned(2)]))
        #expect(try value("[]", .array) == .array([]))
        #expect(try value(#"{"a":0.5}"#, .structure) == .structure(["a": .float(0.5)]))
    }

    @Test func columnsAreRefused() {
        #expect(error("NA", .i16) == "field 'x' takes an i16 (-32768…32767); 'NA' is not a whole number")
        #expect(error(" 1", .i16) == "field 'x' takes an i16 (-32768…32767); ' 1' is not a whole number")
        #expect(error("-", .i16) == "field 'x' takes an i16 (-32768…32767); '-' is not a whole number")
        #expect(error("32768", .i16) == "field 'x' takes an i16 (-32768…32767); 32768 does not fit")
        #expect(
            error(String(repeating: "9", count: 60), .u8)
                == "field 'x' takes a u8 (0…255); \(String(repeating: "9", count: 48))… does not fit")
        #expect(
            error("0x10", .f64) == "field 'x' takes an f64 (up to ±1.7976931348623157e+308); '0x10' is not a number")
        #expect(error("--1", .f32) == "field 'x' takes an f32 (up to ±3.4028235e+38); '--1' is not a number")
        #expect(error("yes", .bool) == "field 'x' takes a bool (true or false); 'yes' is not true, false, 1 or 0")
        #expect(error("123456789", .string) == "field 'x' takes a string of at most 8 bytes; the value given has 9")
        #expect(
            error("0102", .bytes)
                == "field 'x' takes bytes, at most 8, written as hex: and two digits a byte; '0102' is not that")
        #expect(
            error("123456789", .varstring)
                == "field 'x' takes a varstring of at most 8 bytes; the value given has 9")
        #expect(error("1;2", .array) == "field 'x' takes an array of u8, at most 8 elements, not a number")
        #expect(
            error("[1,", .array)
                == "field 'x' takes an array of u8, at most 8 elements, written as JSON; malformed JSON at column 4: "
                + "expected a value, and the text ends here")
        #expect(error("[1,256]", .array) == "field 'x[1]' takes a u8 (0…255); 256 does not fit")
        #expect(error("[] x", .array)?.contains("expected the end of the text, found 'x'") == true)
        #expect(error("[1]", .structure) == "field 'x' takes a struct (a), not an array")
        #expect(error(#"{"b":1}"#, .structure) == "field 'x' has no member 'b'; did you mean 'a'?")
    }
}
