import ConvergeJSON
import Testing

@Suite struct JSONWriterTests {
    private func written(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return writer.text
    }

    @Test func documentsAreCompactAndInOrder() {
        let text = written {
            $0.beginObject()
            $0.member("type", "created")
            $0.member("version", UInt64.max)
            $0.key("changed")
            $0.beginArray()
            $0.string("a")
            $0.string("b")
            $0.endArray()
            $0.key("fields")
            $0.beginObject()
            $0.endObject()
            $0.member("rate", 0.5)
            $0.member("fine", true)
            $0.key("previous")
            $0.null()
            $0.endObject()
        }
        #expect(
            text
                == #"{"type":"created","version":18446744073709551615,"changed":["a","b"],"fields":{},"rate":0.5,"#
                + #""fine":true,"previous":null}"#)
    }

    @Test func linesFollowEachOther() {
        let text = written {
            for number in 1...2 {
                $0.beginArray()
                $0.integer(number)
                $0.integer(-number)
                $0.endArray()
                $0.newline()
            }
        }
        #expect(text == "[1,-1]\n[2,-2]\n")
    }

    @Test func everyControlCharacterIsEscaped() throws {
        let all = String(decoding: 0..<0x80, as: UTF8.self) + "é€😀\u{2028}"
        let text = written { $0.string(all) }
        #expect(
            text.hasPrefix(
                #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011"#))
        #expect(text.contains(##"!\"#"##))
        #expect(text.contains(#"[\\]"#))
        #expect(try parse(text).string == all)
    }

    @Test func integers() {
        #expect(written { $0.integer(Int64.min) } == "-9223372036854775808")
        #expect(written { $0.integer(Int8.min) } == "-128")
        #expect(written { $0.integer(0) } == "0")
        #expect(written { $0.integer(UInt128.max) } == "340282366920938463463374607431768211455")
        #expect(written { $0.integer(Int128.min) } == "-170141183460469231731687303715884105728")
    }

    @Test func realNumbers() {
        #expect(written { $0.double(.nan) } == "\"nan\"")
        #expect(written { $0.double(-.infinity) } == "\"-inf\"")
        #expect(written { $0.float(.infinity) } == "\"inf\"")
        #expect(written { $0.double(0.1) } == "0.1")
        #expect(written { $0.float(0.1) } == "0.1")
        #expect(written { $0.double(-0.0) } == "-0.0")
        #expect(written { $0.double(1e300) } == "1e+300")
        #expect(JSONValue.double(.infinity) == "inf")
    }

    @Test func bytesAreHex() { #expect(written { $0.hex([0, 0x7F, 0xFF]) } == "\"hex:007fff\"") }

    @Test func membersAreFoundByKey() throws {
        let document: JSONValue = ["a": [1, nil], "b": ["c": true]]
        #expect(document.description == #"{"a":[1,null],"b":{"c":true}}"#)
        #expect(document["b"]?["c"]?.bool == true)
        #expect(document["a"]?.elements == [1, nil])
        #expect(document["z"] == nil)
        #expect(document["a"]?["c"] == nil)
    }
}
