import ConvergeJSON
import Testing

@Suite struct JSONReaderTests {
    @Test(
        arguments: [
            ("null", JSONValue.null), (" \t\r\n true ", true), ("false", false), ("\"\"", ""), ("[]", []), ("{}", [:]),
            ("[1,[2],{\"a\":[]}]", [1, [2], ["a": []]]),
            ("{\"b\":1,\"a\":2}", ["b": 1, "a": 2]),
            (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
            (#""\u0041\u00e9\u20AC\ud83d\uDE00""#, "Aé€😀"),
            (#""\u0000""#, "\0"),
            ("\"é€😀\u{7F}\"", "é€😀\u{7F}"),
            (#""a\u0301\r\n""#, "a\u{301}\r\n"),
            (#"{"":0}"#, ["": 0]),
        ] as [(String, JSONValue)])
    func accepts(_ json: String, _ value: JSONValue) throws {
        #expect(try parse(json) == value)
        #expect(try JSONValue(parsing: value.bytes) == value)
    }

    @Test func textOfEscapedStringsIsExact() throws {
        let text = try #require(try parse(#""a\u0301\r\n\ud83d\ude00""#).string)
        #expect(Array(text.utf8) == [0x61, 0xCC, 0x81, 0x0D, 0x0A, 0xF0, 0x9F, 0x98, 0x80])
    }

    @Test(arguments: [
        ("", "column 1: expected a value, and the text ends here"),
        ("  ", "column 3: expected a value, and the text ends here"),
        ("[1,]", "column 4: no comma may stand before ']'"),
        ("[1 2]", "column 4: expected ',' or ']', found '2'"),
        ("[1", "column 3: expected ',' or ']', and the text ends here"),
        ("{\"a\" 1}", "column 6: expected ':' after the key, found '1'"),
        ("{\"a\":1,}", "column 8: no comma may stand before '}'"),
        ("{a:1}", "column 2: expected a key in double quotes, found 'a'"),
        ("{'a':1}", "column 2: expected a key in double quotes, found '''"),
        ("{\"a\":1]", "column 7: expected ',' or '}', found ']'"),
        ("[1]]", "column 4: expected the end of the text, found ']'"),
        ("1 1", "column 3: expected the end of the text, found '1'"),
        ("tru", "column 1: expected true, found 't'"),
        ("nul", "column 1: expected null, found 'n'"),
        ("True", "column 1: expected a value, found 'T'"),
        ("é", "column 1: expected a value, found 'é'"),
        ("// x\n1", "column 1: expected a value, found '/'"),
        ("[\n  1\n  2]", "line 3, column 3: expected ',' or ']', found '2'"),
        ("\"a", "column 3: the string is not closed: '\"' is missing"),
        ("\"\\n", "column 4: the string is not closed: '\"' is missing"),
        (
            "\"a\nb\"",
            "column 3: a string holds line breaks, tabs and control characters only as escapes such as \\n"
        ),
        (
            "\"\\n\u{1}\"",
            "column 4: a string holds line breaks, tabs and control characters only as escapes such as \\n"
        ),
        ("\"\\x\"", "column 2: unknown escape: write \\\\ for a backslash"),
        ("\"\\", "column 2: the text ends inside an escape"),
        ("\"\\u12\"", "column 2: \\u takes four hexadecimal digits"),
        ("\"\\u12g4\"", "column 2: \\u takes four hexadecimal digits"),
        (#""\ud800""#, "column 2: half of a surrogate pair: both \\u escapes are needed"),
        (#""\udc00""#, "column 2: half of a surrogate pair: both \\u escapes are needed"),
        (#""\ud800\u0041""#, "column 2: half of a surrogate pair: both \\u escapes are needed"),
        (#""\ud800x\udc00""#, "column 2: half of a surrogate pair: both \\u escapes are needed"),
        ("01", "column 2: a number has no zeros in front"),
        ("-01", "column 3: a number has no zeros in front"),
        ("-", "column 2: expected a digit, and the text ends here"),
        ("+1", "column 1: expected a value, found '+'"),
        (".5", "column 1: expected a value, found '.'"),
        ("1.", "column 3: expected a digit, and the text ends here"),
        ("1e", "column 3: expected a digit, and the text ends here"),
        ("1e+x", "column 4: expected a digit, found 'x'"),
        ("0x10", "column 2: expected the end of the text, found 'x'"),
        ("NaN", "column 1: JSON has no such number: write \"nan\", \"inf\" or \"-inf\", in double quotes"),
        ("[-Infinity]", "column 2: JSON has no such number: write \"nan\", \"inf\" or \"-inf\", in double quotes"),
        ("Nil", "column 1: expected a value, found 'N'"),
    ])
    func refuses(_ json: String, _ sentence: String) {
        #expect(refusal(json)?.description == "malformed JSON at \(sentence)")
    }

    @Test func bytesThatAreNotUTF8() {
        for bad: [UInt8] in [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] {
            let json = Array("[\"a".utf8) + bad + Array("\"]".utf8)
            #expect(refusal(json)?.message == "malformed JSON at column 3: the string is not valid UTF-8")
            let escaped = Array("[\"\\n".utf8) + bad + Array("\"]".utf8)
            #expect(refusal(escaped)?.message == "malformed JSON at column 3: the string is not valid UTF-8")
        }
        #expect(refusal([0xFF]) != nil)
        #expect(
            refusal([0xEF, 0xBB, 0xBF, 0x31])?.message
                == "malformed JSON at column 1: the text begins with a byte order mark: save it as UTF-8 without one")
    }

    @Test func depthAndSizeAreBounded() throws {
        let deepest = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(try parse(deepest).elements?.count == 1)
        let message = "malformed JSON at column 65: more than 64 arrays and objects within each other"
        #expect(refusal("[" + deepest + "]")?.message == message)
        #expect(refusal(String(repeating: "[", count: 1_000_000))?.message == message)
        #expect(
            try parse("[" + Array(repeating: "[]", count: 1000).joined(separator: ",") + "]").elements?.count == 1000)
        let large = [UInt8](repeating: 0x20, count: JSONReader.bytesMax + 1)
        #expect(refusal(large)?.message == "the JSON text has 4,194,305 bytes; the limit is 4 MiB")
    }

    @Test func aKeyTwiceIsRefused() {
        #expect(refusal(#"{"a":1,"b":{"a":2},"a":3}"#)?.message == "the key 'a' is there twice: keep one of them")
    }

    @Test func everyTruncationIsRefused() throws {
        let json = Array(#"{"a":[1,-2.5e+3,true,null,"\ud83d\ude00é"],"b":{"c":"\n"}}"#.utf8)
        _ = try JSONValue(parsing: json)
        for count in 0..<json.count { #expect(refusal(Array(json.prefix(count))) != nil, "\(count) bytes") }
    }

    /// What is read is also written and read back the same.
    @Test(arguments: UInt64(1)...500)
    func garbageIsRefusedOrRead(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let alphabet = Array(#"{}[]:,"\ eE+-.0123456789truefalsn u"#.utf8) + [0x0A, 0xC3, 0xA9]
        for _ in 0..<20 {
            let json = (0..<Int.random(in: 1...12, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            guard let value = try? JSONValue(parsing: json) else { continue }
            #expect(try JSONValue(parsing: value.bytes) == value, "seed \(seed)")
        }
    }

    @Test func positionsAreThoseOfTheFile() throws {
        let json = Array("{\n  \"a\": 1,\n  \"b\": x\n}".utf8)
        let error = refusal { () throws(JSONInputError) in _ = try JSONValue(parsing: json, file: "a.json") }
        #expect(error?.description == "a.json:3: malformed JSON at column 8: expected a value, found 'x'")
        #expect(error?.line == 3)
        #expect(error?.column == 8)
    }
}
