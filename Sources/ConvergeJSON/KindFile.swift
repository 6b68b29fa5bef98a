import ConvergeSchema

/// Kind files: one kind as a JSON object (docs/KINDS.md).
public enum KindFile {
    public static let bytesMax = 1 << 20

    /// Parses and validates a kind file.
    /// - Parameter file: its name as the user gave it; every error begins with it and a line.
    /// - Throws: malformed JSON, a missing, unknown or repeated key, a value of the wrong type, and everything that
    ///   `KindDefinition.validate()` refuses.
    public static func parse(_ text: [UInt8], file: String) throws(JSONInputError) -> KindDefinition {
        var reader = try JSONReader(text, file: file)
        if text.count > bytesMax {
            throw reader.error(
                at: 0, "the file has \(Sentence.grouped(text.count)) bytes; a kind file has at most 1 MiB")
        }
        var parser = KindParser()
        return try parser.parse(&reader)
    }
}

/// Reads a kind and remembers where its parts stand, for errors that show only when the kind is whole.
private struct KindParser {
    struct Place: Hashable {
        var ordinal: Int?
        var part: SchemaError.Part?
    }

    private static let kindKeys = ["name", "durability", "event_stream", "fields"]
    private static let fieldKeys = ["name", "type", "max", "owners", "on_retract"]
    /// Keys of types that are not available yet: the sentence about the type says more than one about the key.
    private static let nestedKeys = ["element", "fields"]

    private var places: [Place: Int] = [:]

    mutating func parse(_ reader: inout JSONReader) throws(JSONInputError) -> KindDefinition {
        let kind = try reader.next()
        guard kind == .object else {
            throw reader.error(at: reader.valueOffset, "a kind file holds one JSON object, not \(kind.article)")
        }
        places[Place()] = reader.valueOffset
        var name: String?
        var durability = Durability.durable
        var eventStream = false
        var fields: [FieldDefinition]?
        var keys = Set<String>()
        try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
            try reader.requireNew(key, in: &keys, at: keyOffset)
            switch key {
            case "name": name = try text(&reader, "name", nil, .name)
            case "durability":
                let given = try text(&reader, "durability", nil, .durability)
                durability = try choice(given, Durability.allCases, reader, "durability")
            case "event_stream":
                try expect(.bool, &reader, "event_stream", nil, .eventStream)
                eventStream = try reader.readBool()
            case "fields": fields = try self.fields(&reader)
            default: throw unknownKey(key, Self.kindKeys, reader, keyOffset, "")
            }
        }
        try reader.finish()
        guard let name else { throw missing("name", reader, Place(), "the kind") }
        guard let fields else { throw missing("fields", reader, Place(), "the kind") }
        let definition = KindDefinition(name: name, durability: durability, eventStream: eventStream, fields: fields)
        do throws(SchemaError) {
            try definition.validate()
        } catch {
            let place =
                places[Place(ordinal: error.ordinal, part: error.part)] ?? places[Place(ordinal: error.ordinal)] ?? 0
            throw reader.error(at: place, error.description, code: error.code)
        }
        return definition
    }

    private mutating func fields(_ reader: inout JSONReader) throws(JSONInputError) -> [FieldDefinition] {
        try expect(.array, &reader, "fields", nil, .fields)
        var fields: [FieldDefinition] = []
        try reader.readArray { (reader, ordinal) throws(JSONInputError) in
            fields.append(try field(&reader, ordinal))
        }
        return fields
    }

    private mutating func field(_ reader: inout JSONReader, _ ordinal: Int) throws(JSONInputError) -> FieldDefinition {
        let path = "fields[\(ordinal)]"
        try expect(.object, &reader, path, ordinal, nil)
        var name: String?
        var type: FieldType?
        var field = FieldDefinition(name: "", type: .u8)
        var nested: (key: String, offset: Int)?
        var keys = Set<String>()
        try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
            try reader.requireNew(key, in: &keys, at: keyOffset)
            switch key {
            case "name": name = try text(&reader, "\(path).name", ordinal, .fieldName)
            case "type":
                let given = try text(&reader, "\(path).type", ordinal, .type)
                let offered = FieldType.allCases.filter(\.isAvailable)
                type = try choice(given, FieldType.allCases, offered: offered, reader, "\(path).type")
            case "max": field.max = try max(&reader, "\(path).max", ordinal)
            case "owners": field.owners = try owners(&reader, "\(path).owners", ordinal)
            case "on_retract":
                let given = try text(&reader, "\(path).on_retract", ordinal, .onRetract)
                field.onRetract = try choice(given, OnRetract.allCases, reader, "\(path).on_retract")
            case _ where Self.nestedKeys.contains(key):
                nested = (key, keyOffset)
                _ = try reader.readValue()
            default: throw unknownKey(key, Self.fieldKeys, reader, keyOffset, "\(path): ")
            }
        }
        guard let name else { throw missing("name", reader, Place(ordinal: ordinal), path) }
        guard let type else { throw missing("type", reader, Place(ordinal: ordinal), path) }
        if let nested, type.isAvailable {
            throw unknownKey(nested.key, Self.fieldKeys, reader, nested.offset, "\(path): ")
        }
        field.name = name
        field.type = type
        if places[Place(ordinal: ordinal, part: .max)] == nil {
            places[Place(ordinal: ordinal, part: .max)] = places[Place(ordinal: ordinal, part: .type)]
        }
        return field
    }

    private mutating func max(_ reader: inout JSONReader, _ path: String, _ ordinal: Int) throws(JSONInputError) -> Int
    {
        try expect(.number, &reader, path, ordinal, .max)
        let number = try reader.readNumber()
        guard let max = number.integer(as: Int.self), (1...SchemaLimits.valueBytes).contains(max) else {
            throw reader.error(
                at: reader.valueOffset,
                "\(path): takes a whole number of bytes, 1 to 65,535; \(Sentence.shorten(number.text)) was given",
                code: .invalidDefinition)
        }
        return max
    }

    private mutating func owners(
        _ reader: inout JSONReader, _ path: String, _ ordinal: Int
    ) throws(JSONInputError) -> UInt64 {
        try expect(.array, &reader, path, ordinal, .owners)
        let start = reader.valueOffset
        var owners: UInt64 = 0
        try reader.readArray { (reader, _) throws(JSONInputError) in
            let kind = try reader.next()
            guard kind == .number else {
                throw reader.error(
                    at: reader.valueOffset, "\(path): takes source numbers, 0 to 63, not \(kind.article)")
            }
            let number = try reader.readNumber()
            guard let source = number.integer(as: Int.self), (0..<SchemaLimits.sources).contains(source) else {
                throw reader.error(
                    at: reader.valueOffset,
                    "\(path): sources are numbered 0 to 63; \(Sentence.shorten(number.text)) was given",
                    code: .invalidDefinition)
            }
            guard owners & 1 << UInt64(source) == 0 else {
                throw reader.error(at: reader.valueOffset, "\(path): source \(source) is there twice: keep one of them")
            }
            owners |= 1 << UInt64(source)
        }
        guard owners != 0 else {
            throw reader.error(
                at: start, "\(path): the list is empty: leave it out to let every source write the field")
        }
        return owners
    }

    // ------------------------------------------------------------------------------------------------- parts

    /// Refuses a value of another JSON type, and remembers where the part stands.
    private mutating func expect(
        _ kind: JSONReader.ValueKind, _ reader: inout JSONReader, _ path: String, _ ordinal: Int?,
        _ part: SchemaError.Part?
    ) throws(JSONInputError) {
        let found = try reader.next()
        places[Place(ordinal: ordinal, part: part)] = reader.valueOffset
        guard found == kind else {
            let wanted = kind == .bool ? "true or false" : kind.article
            throw reader.error(
                at: reader.valueOffset, "\(path): takes \(wanted), not \(found.article)", code: .invalidDefinition)
        }
    }

    private mutating func text(
        _ reader: inout JSONReader, _ path: String, _ ordinal: Int?, _ part: SchemaError.Part
    ) throws(JSONInputError) -> String {
        try expect(.string, &reader, path, ordinal, part)
        return try reader.readString()
    }

    /// The choice with this name. `offered` are the ones that a sentence lists.
    private func choice<T: CustomStringConvertible>(
        _ given: String, _ choices: [T], offered: [T]? = nil, _ reader: JSONReader, _ path: String
    ) throws(JSONInputError) -> T {
        if let choice = choices.first(where: { $0.description == given }) { return choice }
        let hint = hint(given, choices.map(\.description), offered?.map(\.description))
        throw reader.error(
            at: reader.valueOffset, "\(path): \(Sentence.quote(given)) is not known\(hint)", code: .invalidDefinition)
    }

    private func unknownKey(
        _ key: String, _ known: [String], _ reader: JSONReader, _ offset: Int, _ path: String
    ) -> JSONInputError {
        reader.error(
            at: offset, "\(path)unknown key \(Sentence.quote(key))\(hint(key, known))", code: .invalidDefinition)
    }

    /// The nearest name, or all of them.
    private func hint(_ given: String, _ names: [String], _ offered: [String]? = nil) -> String {
        let suggestion = Sentence.suggestion(for: given, among: names)
        return suggestion.isEmpty ? ": use one of \((offered ?? names).joined(separator: ", "))" : suggestion
    }

    private func missing(_ key: String, _ reader: JSONReader, _ place: Place, _ what: String) -> JSONInputError {
        reader.error(at: places[place] ?? 0, "\(what) has no \"\(key)\": add one", code: .invalidDefinition)
    }
}
