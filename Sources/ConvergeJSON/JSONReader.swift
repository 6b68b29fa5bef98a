import ConvergeSchema

// A reader of our own, because what a person types needs three things that JSONDecoder does not give: the position of
// every value (an error names its line, also when the JSON is well-formed and its meaning is wrong), integers of 128
// bits without loss, and the order of members. Nothing here needs Foundation, so no executable carries it.
//
// Strict RFC 8259 in UTF-8: no comments, no trailing commas, no lone surrogates, no byte order mark. Depth and size are
// bounded, so hostile text costs no more than its length.

/// Reads one JSON document front to back: look at the next value with `next()`, then read it with the function for
/// its kind. Every function throws where the text is not what was asked for.
public struct JSONReader {
    public enum ValueKind: String, Sendable {
        case null, bool, number, string, array, object

        /// As in `a string`.
        public var article: String {
            switch self {
            case .null: "null"
            case .array, .object: "an \(rawValue)"
            case .bool, .number, .string: "a \(rawValue)"
            }
        }
    }

    /// Arrays and objects within each other.
    public static let depthMax = 64
    public static let bytesMax = 4 << 20

    /// Where the value that `next()` found begins.
    public private(set) var valueOffset = 0

    let bytes: [UInt8]
    var offset = 0
    private let file: String?
    private let firstLine: Int
    private var depth = 0

    /// - Parameters:
    ///   - file: named by errors; nil for text that came from a command line.
    ///   - firstLine: line of the file that `bytes` begins with.
    public init(_ bytes: [UInt8], file: String? = nil, firstLine: Int = 1) throws(JSONInputError) {
        self.bytes = bytes
        self.file = file
        self.firstLine = firstLine
        if bytes.count > Self.bytesMax {
            throw error(at: 0, "the JSON text has \(Sentence.grouped(bytes.count)) bytes; the limit is 4 MiB")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw malformed("the text begins with a byte order mark: save it as UTF-8 without one")
        }
    }

    /// An error about the text at `offset`.
    public func error(at offset: Int, _ message: String, code: SchemaError.Code? = nil) -> JSONInputError {
        let before = bytes.prefix(offset)
        let newlines = before.reduce(0) { $0 + ($1 == UInt8(ascii: "\n") ? 1 : 0) }
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        return JSONInputError(
            message: message, file: file, line: firstLine + newlines, column: offset - lineStart + 1, code: code)
    }

    /// The error of text that is not JSON, at the current offset.
    func malformed(_ message: String) -> JSONInputError {
        var result = error(at: offset, "")
        let line = file == nil && result.line > firstLine ? "line \(result.line - firstLine + 1), " : ""
        result.message = "malformed JSON at \(line)column \(result.column): \(message)"
        return result
    }

    private func expected(_ what: String) -> JSONInputError {
        guard offset < bytes.count else { return malformed("expected \(what), and the text ends here") }
        var end = offset + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        let found = String(decoding: bytes[offset..<end], as: UTF8.self)
        return malformed("expected \(what), found \(Sentence.quote(found))")
    }

    private mutating func skipSpace() {
        while offset < bytes.count {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            default: return
            }
        }
    }

    /// The kind of the value that comes next, judged by its first byte.
    public mutating func next() throws(JSONInputError) -> ValueKind {
        skipSpace()
        valueOffset = offset
        guard offset < bytes.count else { throw expected("a value") }
        switch bytes[offset] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-") where isNoFiniteNumber, UInt8(ascii: "N") where isNoFiniteNumber,
            UInt8(ascii: "n") where isNoFiniteNumber, UInt8(ascii: "I") where isNoFiniteNumber,
            UInt8(ascii: "i") where isNoFiniteNumber:
            throw malformed("JSON has no such number: write \"nan\", \"inf\" or \"-inf\", in double quotes")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: throw expected("a value")
        }
    }

    /// Whether `NaN`, `Infinity` or the like comes next, as some programs write them.
    private var isNoFiniteNumber: Bool {
        let start = bytes[offset] == UInt8(ascii: "-") ? offset + 1 : offset
        let word = bytes[start...].prefix(3).map { $0 | 0x20 }
        return word == Array("nan".utf8) || word == Array("inf".utf8)
    }

    /// Reads the end of the document.
    public mutating func finish() throws(JSONInputError) {
        skipSpace()
        if offset < bytes.count { throw expected("the end of the text") }
    }

    public mutating func readNull() throws(JSONInputError) {
        skipSpace()
        try word("null")
    }

    public mutating func readBool() throws(JSONInputError) -> Bool {
        skipSpace()
        let value = offset < bytes.count && bytes[offset] == UInt8(ascii: "t")
        try word(value ? "true" : "false")
        return value
    }

    private mutating func word(_ word: StaticString) throws(JSONInputError) {
        let wanted = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard bytes[offset...].starts(with: wanted) else { throw expected("\(word)") }
        offset += wanted.count
    }

    public mutating func readNumber() throws(JSONInputError) -> JSONNumber {
        skipSpace()
        let start = offset
        skip(UInt8(ascii: "-"))
        if skip(UInt8(ascii: "0")) {
            if offset < bytes.count, isDigit(bytes[offset]) {
                throw malformed("a number has no zeros in front")
            }
        } else {
            try digits()
        }
        if skip(UInt8(ascii: ".")) { try digits() }
        if skip(UInt8(ascii: "e")) || skip(UInt8(ascii: "E")) {
            if !skip(UInt8(ascii: "-")) { skip(UInt8(ascii: "+")) }
            try digits()
        }
        return JSONNumber(validText: String(decoding: bytes[start..<offset], as: UTF8.self))
    }

    @discardableResult
    private mutating func skip(_ byte: UInt8) -> Bool {
        guard offset < bytes.count, bytes[offset] == byte else { return false }
        offset += 1
        return true
    }

    private mutating func digits() throws(JSONInputError) {
        guard offset < bytes.count, isDigit(bytes[offset]) else { throw expected("a digit") }
        while offset < bytes.count, isDigit(bytes[offset]) { offset += 1 }
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Reads an array, calling `element` with each index; it must read exactly one value.
    public mutating func readArray(
        _ element: (inout JSONReader, _ index: Int) throws(JSONInputError) -> Void
    ) throws(JSONInputError) {
        try open(UInt8(ascii: "["), "'['")
        var index = 0
        while try !close(UInt8(ascii: "]"), isFirst: index == 0, "']'") {
            try element(&self, index)
            index += 1
        }
    }

    /// Reads an object, calling `member` with each key and where it stands; it must read exactly one value. Keys may
    /// repeat: what that means is for the caller.
    public mutating func readObject(
        _ member: (inout JSONReader, _ key: String, _ keyOffset: Int) throws(JSONInputError) -> Void
    ) throws(JSONInputError) {
        try open(UInt8(ascii: "{"), "'{'")
        var isFirst = true
        while try !close(UInt8(ascii: "}"), isFirst: isFirst, "'}'") {
            skipSpace()
            let keyOffset = offset
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") else {
                throw expected("a key in double quotes")
            }
            let key = try readString()
            skipSpace()
            guard skip(UInt8(ascii: ":")) else { throw expected("':' after the key") }
            try member(&self, key, keyOffset)
            isFirst = false
        }
    }

    private mutating func open(_ byte: UInt8, _ what: String) throws(JSONInputError) {
        skipSpace()
        guard offset < bytes.count, bytes[offset] == byte else { throw expected(what) }
        if depth == Self.depthMax {
            throw malformed("more than \(Self.depthMax) arrays and objects within each other")
        }
        offset += 1
        depth += 1
    }

    /// Reads the closing byte, or the comma before the next member.
    private mutating func close(_ byte: UInt8, isFirst: Bool, _ what: String) throws(JSONInputError) -> Bool {
        skipSpace()
        if skip(byte) {
            depth -= 1
            return true
        }
        if !isFirst {
            guard skip(UInt8(ascii: ",")) else { throw expected("',' or \(what)") }
            skipSpace()
            if offset < bytes.count, bytes[offset] == byte { throw malformed("no comma may stand before \(what)") }
        }
        return false
    }
}
