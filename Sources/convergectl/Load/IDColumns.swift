import ConvergeClient

/// Which columns make an entity's id: `--id carrier,flight`, joined by `-`, as text; or in another form, e.g.
/// `--id str:carrier,flight` (the SHA-256 of the joined text) or `--id int:number`.
struct IDColumns {
    let names: [String]
    private let form: String
    private let argument: String

    init(_ argument: String) throws {
        self.argument = argument
        let forms = ["text", "str", "int", "uuid", "hex"]
        let form = forms.first { argument.hasPrefix($0 + ":") }
        self.form = form ?? "text"
        let list = form.map { argument.dropFirst($0.count + 1) } ?? argument[...]
        names = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard !names.contains("") else {
            throw CommandFailure(.usage, "--id takes column names with commas between them, not '\(shown(argument))'")
        }
        guard Set(names).count == names.count else {
            throw CommandFailure(.usage, "--id names a column twice: '\(shown(argument))'")
        }
    }

    /// The id of a record, from the texts of the columns in the order of `names`.
    func id(_ texts: [String?]) throws(LoadFault) -> EntityID {
        var parts: [String] = []
        for (name, text) in zip(names, texts) {
            guard let text, !text.isEmpty else {
                throw LoadFault("the record has no '\(name)', which is part of its id: fill it in")
            }
            parts.append(text)
        }
        let joined = parts.joined(separator: "-")
        if form == "text", joined.utf8.count > EntityID.bytes {
            let columns = argument.hasPrefix("text:") ? String(argument.dropFirst(5)) : argument
            throw LoadFault(
                "the id '\(joined)' has \(joined.utf8.count) bytes; text ids hold at most \(EntityID.bytes): "
                    + "use --id str:\(columns) (its SHA-256)")
        }
        do {
            return try EntityID.parse("\(form):\(joined)")
        } catch {
            throw LoadFault("'\(names.joined(separator: "', '"))': \(error.description)")
        }
    }
}

/// What is wrong with a record. The line is added by who knows it.
struct LoadFault: Error {
    let sentence: String

    init(_ sentence: String) {
        self.sentence = sentence
    }
}
