import ConvergeSchema

/// What stands inside of a field: the elements of an array, the fields of a struct.
extension KindParser {
    /// The `element` of an array.
    mutating func element(
        _ reader: inout JSONReader, _ path: String, _ ordinal: Int, _ field: inout FieldDefinition
    ) throws(JSONInputError) {
        let place = Place(ordinal: ordinal)
        try expect(.object, &reader, path, place.of(.element))
        var element: FieldType?
        var max: JSONMax?
        var members: [MemberDefinition]?
        var keys = Set<String>()
        try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
            try reader.requireNew(key, in: &keys, at: keyOffset)
            switch key {
            case "type":
                let offered = FieldType.allCases.filter(\.isElement)
                element = try type(&reader, "\(path).type", place.of(.elementType), offered)
            case "max": max = try self.max(&reader, "\(path).max", place.of(.elementMax))
            case "fields": members = try self.members(&reader, "\(path).fields", ordinal)
            default: throw unknownKey(key, Self.elementKeys, reader, keyOffset, "\(path): ")
            }
        }
        guard let element else { throw missing("type", reader, place.of(.element), path) }
        field.element = element
        field.elementMax = try max?.value(for: element, reader) ?? 0
        if let members { field.members = members }
        for part in [SchemaError.Part.elementMax, .members] { keep(place.of(part), or: place.of(.elementType)) }
    }

    /// The `fields` of a struct.
    mutating func members(
        _ reader: inout JSONReader, _ path: String, _ ordinal: Int
    ) throws(JSONInputError) -> [MemberDefinition] {
        try expect(.array, &reader, path, Place(ordinal: ordinal, part: .members))
        var members: [MemberDefinition] = []
        try reader.readArray { (reader, index) throws(JSONInputError) in
            let place = Place(ordinal: ordinal, member: index)
            let path = "\(path)[\(index)]"
            try expect(.object, &reader, path, place)
            var name: String?
            var type: FieldType?
            var max: JSONMax?
            var keys = Set<String>()
            try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
                try reader.requireNew(key, in: &keys, at: keyOffset)
                switch key {
                case "name": name = try text(&reader, "\(path).name", place.of(.memberName))
                case "type":
                    let offered = FieldType.allCases.filter(\.isInline)
                    type = try self.type(&reader, "\(path).type", place.of(.memberType), offered)
                case "max": max = try self.max(&reader, "\(path).max", place.of(.memberMax))
                default: throw unknownKey(key, Self.memberKeys, reader, keyOffset, "\(path): ")
                }
            }
            guard let name else { throw missing("name", reader, place, path) }
            guard let type else { throw missing("type", reader, place, path) }
            let bytes = try max?.value(for: type, reader) ?? 0
            keep(place.of(.memberMax), or: place.of(.memberType))
            members.append(MemberDefinition(name: name, type: type, max: bytes))
        }
        return members
    }

    /// A `max` whose type may stand behind it.
    struct JSONMax {
        let path: String
        let number: JSONNumber
        let offset: Int

        func value(for type: FieldType, _ reader: JSONReader) throws(JSONInputError) -> Int {
            let limit = type == .array ? SchemaLimits.elements : SchemaLimits.valueBytes
            if let max = number.integer(as: Int.self), (1...limit).contains(max) { return max }
            throw reader.error(
                at: offset,
                "\(path): takes a whole number of \(type == .array ? "elements" : "bytes"), 1 to "
                    + "\(Sentence.grouped(limit)); \(Sentence.shorten(number.text)) was given",
                code: .invalidDefinition)
        }
    }

    mutating func max(
        _ reader: inout JSONReader, _ path: String, _ place: Place
    ) throws(JSONInputError) -> JSONMax {
        try expect(.number, &reader, path, place)
        let offset = reader.valueOffset
        return JSONMax(path: path, number: try reader.readNumber(), offset: offset)
    }

    /// What types are called elsewhere.
    private static let otherNames: [String: FieldType] = [
        "int": .i64, "integer": .i64, "long": .i64, "uint": .u64, "byte": .u8, "float": .f32, "double": .f64,
        "number": .f64, "boolean": .bool, "text": .string, "str": .string, "object": .structure, "list": .array,
    ]

    /// The type named; `offered` are those that a sentence lists.
    mutating func type(
        _ reader: inout JSONReader, _ path: String, _ place: Place, _ offered: [FieldType]
    ) throws(JSONInputError) -> FieldType {
        let given = try text(&reader, path, place)
        if let other = Self.otherNames[given.lowercased()], offered.contains(other), FieldType(name: given) == nil {
            throw reader.error(
                at: reader.valueOffset, "\(path): \(Sentence.quote(given)) is not known; did you mean '\(other)'?",
                code: .invalidDefinition)
        }
        return try choice(given, FieldType.allCases, offered: offered, reader, path)
    }
}
