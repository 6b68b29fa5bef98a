/// A flag: `--name`, or `--name VALUE`.
struct Flag: Sendable {
    let name: String
    /// What stands for the value in usage texts; nil: the flag takes none.
    let value: String?
    let help: String

    init(_ name: String, _ value: String? = nil, _ help: String) {
        self.name = name
        self.value = value
        self.help = help
    }
}

/// One row of the table of verbs.
struct Verb: Sendable {
    /// One word, or two: `kind apply`.
    let name: String
    /// Its words as usage shows them, e.g. `KIND ID JSON`.
    let words: [String]
    let summary: String
    /// More for `VERB --help`; may be empty.
    var details = ""
    var flags: [Flag] = []
    let run: @Sendable (Invocation) async throws -> ExitCode

    var usage: String {
        let optional = flags.map { "[\($0.name)\($0.value.map { " \($0)" } ?? "")]" }
        return (["convergectl", name] + words + optional).joined(separator: " ")
    }
}

extension Verb {
    /// Every verb, in the order in which a newcomer meets them.
    static let all: [Verb] = [
        .ping, .kindApply, .kindList, .kindShow, .assert, .patch, .retract, .get, .watch, .load, .export, .stats,
        .shell,
    ]

    /// What the verbs are called elsewhere.
    private static let otherNames = [
        "list": "kind list", "ls": "kind list", "kinds": "kind list", "create": "kind apply", "apply": "kind apply",
        "show": "kind show", "describe": "kind show", "query": "get", "read": "get", "subscribe": "watch",
        "put": "assert",
        "set": "assert", "insert": "assert", "update": "patch", "delete": "retract", "remove": "retract",
        "import": "load",
        "dump": "export", "status": "stats",
    ]

    /// The verbs of two words whose first is this.
    static func family(_ first: String) -> [Verb] { all.filter { $0.name.hasPrefix(first + " ") } }

    /// The verb that the words begin with, and the words behind it.
    ///
    /// - Parameter extra: words that are no verbs, and may have been meant.
    static func find(_ words: [String], or extra: [String] = []) throws -> (verb: Verb, words: [String])? {
        guard let first = words.first else { return nil }
        for length in [2, 1] where words.count >= length {
            let name = words.prefix(length).joined(separator: " ")
            if let verb = all.first(where: { $0.name == name }) { return (verb, Array(words.dropFirst(length))) }
        }
        let family = family(first).map(\.name)
        if !family.isEmpty {
            let wanted =
                words.count > 1 ? "'\(shown(words[1]))' is no verb of '\(first)'" : "'\(first)' needs a second word"
            throw CommandFailure(.usage, "\(wanted): use \(family.joined(separator: ", "))")
        }
        if let wanted = otherNames[first] {
            throw CommandFailure(
                .usage, "'\(first)' is no verb; did you mean '\(wanted)'? (convergectl --help lists them)")
        }
        let hint = nearest(to: first, among: all.map(\.name) + extra).map { "; did you mean '\($0)'?" } ?? ""
        throw CommandFailure(.usage, "'\(shown(first))' is no verb\(hint) (convergectl --help lists them)")
    }
}
