import ConvergeSchema

/// A number as it was written: exact, whatever its size.
public struct JSONNumber: Hashable, Sendable {
    /// Valid JSON.
    public let text: String

    init(validText: String) { text = validText }

    public init(_ value: some BinaryInteger) { text = String(value) }

    /// Nil for nan and the infinities, which JSON does not have. Shortest text that reads back as the same number.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        text = value.description
    }

    /// The number as a `T`, if it is written as an integer and fits.
    public func integer<T: FixedWidthInteger>(as _: T.Type = T.self) -> T? { text == "-0" ? 0 : T(text) }

    /// The nearest `Double`; nil if it is outside the range of one.
    public var double: Double? { Double(text).flatMap { $0.isFinite ? $0 : nil } }
}

/// A JSON document, for documents that are built or read as a whole. Members keep their order.
public enum JSONValue: Hashable, Sendable {
    public struct Member: Hashable, Sendable {
        public var key: String
        public var value: JSONValue

        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    case null
    case bool(Bool)
    case number(JSONNumber)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(JSONNumber(value)) }

    /// nan and the infinities become the strings `nan`, `inf` and `-inf`.
    public static func double(_ value: Double) -> JSONValue {
        JSONNumber(value).map(JSONValue.number) ?? .string(value.description)
    }

    /// Parses one document.
    /// - Throws: malformed JSON, more than 4 MiB, more than 64 levels, or a key twice in an object.
    public init(parsing bytes: [UInt8], file: String? = nil) throws(JSONInputError) {
        var reader = try JSONReader(bytes, file: file)
        self = try reader.readValue()
        try reader.finish()
    }

    /// The member of an object, or nil.
    public subscript(key: String) -> JSONValue? { members?.first { $0.key == key }?.value }

    public var members: [Member]? { if case .object(let members) = self { members } else { nil } }
    public var elements: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }
    public var double: Double? { if case .number(let number) = self { number.double } else { nil } }

    public func integer<T: FixedWidthInteger>(as _: T.Type = T.self) -> T? {
        if case .number(let number) = self { number.integer() } else { nil }
    }

    /// The document on one line.
    public var bytes: [UInt8] {
        var writer = JSONWriter()
        writer.value(self)
        return writer.bytes
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, CustomStringConvertible
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral members: (String, JSONValue)...) { self = .object(members.map { Member($0, $1) }) }

    public var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension JSONReader {
    /// Reads whatever value comes next.
    public mutating func readValue() throws(JSONInputError) -> JSONValue {
        switch try next() {
        case .null:
            try readNull()
            return .null
        case .bool: return .bool(try readBool())
        case .number: return .number(try readNumber())
        case .string: return .string(try readString())
        case .array:
            var elements: [JSONValue] = []
            try readArray { (reader, _) throws(JSONInputError) in elements.append(try reader.readValue()) }
            return .array(elements)
        case .object:
            var members: [JSONValue.Member] = []
            var keys = Set<String>()
            try readObject { (reader, key, keyOffset) throws(JSONInputError) in
                try reader.requireNew(key, in: &keys, at: keyOffset)
                members.append(JSONValue.Member(key, try reader.readValue()))
            }
            return .object(members)
        }
    }

    /// Refuses a key that an object has already.
    func requireNew(_ key: String, in keys: inout Set<String>, at offset: Int) throws(JSONInputError) {
        guard keys.insert(key).inserted else {
            throw error(at: offset, "the key \(Sentence.quote(key)) is there twice: keep one of them")
        }
    }
}
