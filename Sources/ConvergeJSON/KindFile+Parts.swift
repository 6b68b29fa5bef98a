import ConvergeSchema

/// The smallest parts: one value of a known type, and the errors about it.
extension KindParser {
    /// Refuses a value of another JSON type, and remembers where the part stands.
    mutating func expect(
        _ kind: JSONReader.ValueKind, _ reader: inout JSONReader, _ path: String, _ place: Place
    ) throws(JSONInputError) {
        let found = try reader.next()
        places[place] = reader.valueOffset
        guard found == kind else {
            let wanted = kind == .bool ? "true or false" : kind.article
            throw reader.error(
                at: reader.valueOffset, "\(path): takes \(wanted), not \(found.article)", code: .invalidDefinition)
        }
    }

    /// A part that was not given stands where another does.
    mutating func keep(_ place: Place, or other: Place) {
        if places[place] == nil { places[place] = places[other] }
    }

    mutating func text(
        _ reader: inout JSONReader, _ path: String, _ place: Place
    ) throws(JSONInputError) -> String {
        try expect(.string, &reader, path, place)
        return try reader.readString()
    }

    /// The choice with this name. `offered` are the ones that a sentence lists.
    func choice<T: CustomStringConvertible>(
        _ given: String, _ choices: [T], offered: [T]? = nil, _ reader: JSONReader, _ path: String
    ) throws(JSONInputError) -> T {
        if let choice = choices.first(where: { $0.description == given }) { return choice }
        let hint = hint(given, (offered ?? choices).map(\.description))
        throw reader.error(
            at: reader.valueOffset, "\(path): \(Sentence.quote(given)) is not known\(hint)", code: .invalidDefinition)
    }

    func unknownKey(
        _ key: String, _ known: [String], _ reader: JSONReader, _ offset: Int, _ path: String
    ) -> JSONInputError {
        reader.error(
            at: offset, "\(path)unknown key \(Sentence.quote(key))\(hint(key, known))", code: .invalidDefinition)
    }

    /// The nearest name, or all of them.
    func hint(_ given: String, _ names: [String]) -> String {
        let suggestion = Sentence.suggestion(for: given, among: names)
        return suggestion.isEmpty ? ": use one of \(names.joined(separator: ", "))" : suggestion
    }

    func missing(_ key: String, _ reader: JSONReader, _ place: Place, _ what: String) -> JSONInputError {
        reader.error(at: places[place] ?? 0, "\(what) has no \"\(key)\": add one", code: .invalidDefinition)
    }
}
