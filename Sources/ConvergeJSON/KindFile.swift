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
struct KindParser {
    struct Place: Hashable {
        var ordinal: Int?
        var member: Int?
        var part: SchemaError.Part?

        func of(_ part: SchemaError.Part) -> Place { Place(ordinal: ordinal, member: member, part: part) }
    }

    private static let kindKeys = ["name", "durability", "event_stream", "fields"]
    private static let fieldKeys = ["name", "type", "max", "owners", "on_retract", "element", "fields"]
    static let elementKeys = ["type", "max", "fields"]
    static let memberKeys = ["name", "type", "max"]

    var places: [Place: Int] = [:]

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
            case "name": name = try text(&reader, "name", Place(part: .name))
            case "durability":
                let given = try text(&reader, "durability", Place(part: .durability))
                durability = try choice(given, Durability.allCases, reader, "durability")
            case "event_stream":
                try expect(.bool, &reader, "event_stream", Place(part: .eventStream))
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
            let candidates = [
                Place(ordinal: error.ordinal, member: error.member, part: error.part),
                Place(ordinal: error.ordinal, member: error.member), Place(ordinal: error.ordinal),
            ]
            let place = candidates.compactMap { places[$0] }.first
            throw reader.error(at: place ?? 0, error.description, code: error.code)
        }
        return definition
    }

    private mutating func fields(_ reader: inout JSONReader) throws(JSONInputError) -> [FieldDefinition] {
        try expect(.array, &reader, "fields", Place(part: .fields))
        var fields: [FieldDefinition] = []
        try reader.readArray { (reader, ordinal) throws(JSONInputError) in
            fields.append(try field(&reader, ordinal))
        }
        return fields
    }

    private mutating func field(_ reader: inout JSONReader, _ ordinal: Int) throws(JSONInputError) -> FieldDefinition {
        let path = "fields[\(ordinal)]"
        let place = Place(ordinal: ordinal)
        try expect(.object, &reader, path, place)
        var name: String?
        var type: FieldType?
        var max: JSONMax?
        var ownFields: Int?
        var field = FieldDefinition(name: "", type: .u8)
        var keys = Set<String>()
        try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
            try reader.requireNew(key, in: &keys, at: keyOffset)
            switch key {
            case "name": name = try text(&reader, "\(path).name", place.of(.fieldName))
            case "type": type = try self.type(&reader, "\(path).type", place.of(.type), FieldType.allCases)
            case "max": max = try self.max(&reader, "\(path).max", place.of(.max))
            case "owners": field.owners = try owners(&reader, "\(path).owners", place.of(.owners))
            case "on_retract":
                let given = try text(&reader, "\(path).on_retract", place.of(.onRetract))
                field.onRetract = try choice(given, OnRetract.allCases, reader, "\(path).on_retract")
            case "element": try element(&reader, "\(path).element", ordinal, &field)
            case "fields":
                ownFields = keyOffset
                field.members = try members(&reader, "\(path).fields", ordinal)
            default: throw unknownKey(key, Self.fieldKeys, reader, keyOffset, "\(path): ")
            }
        }
        guard let name else { throw missing("name", reader, place, path) }
        guard let type else { throw missing("type", reader, place, path) }
        if type == .array, let ownFields {
            throw reader.error(
                at: ownFields,
                "\(path).fields: the fields of an array's struct stand in its \"element\": move them there",
                code: .invalidDefinition)
        }
        field.name = name
        field.type = type
        field.max = try max?.value(for: type, reader) ?? 0
        for part in [SchemaError.Part.max, .element, .members] { keep(place.of(part), or: place.of(.type)) }
        return field
    }

    private mutating func owners(
        _ reader: inout JSONReader, _ path: String, _ place: Place
    ) throws(JSONInputError) -> UInt64 {
        if try reader.next() == .number {
            let given = Sentence.shorten(try reader.readNumber().text)
            throw reader.error(
                at: reader.valueOffset, "\(path): takes an array of sources, e.g. [\(given)], not a number",
                code: .invalidDefinition)
        }
        try expect(.array, &reader, path, place)
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
}
