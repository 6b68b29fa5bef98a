extension String {
    fileprivate var isBraced: Bool { hasPrefix("{") && hasSuffix("}") }
}

/// Takes a command line apart. Flags may stand anywhere, as `--name VALUE` or `--name=VALUE`; `--` ends them.
struct CommandLineParser {
    private(set) var words: [String] = []
    private(set) var flags: [String: String] = [:]

    init(_ arguments: [String]) throws {
        var index = 0
        var flagsEnded = false
        while index < arguments.count {
            let argument = arguments[index]
            index += 1
            if !flagsEnded, words.isEmpty, argument.hasPrefix("-"), !Self.isFlag(argument) {
                throw CommandFailure(.usage, "'\(shown(argument))': flags begin with two dashes, '-\(shown(argument))'")
            }
            if flagsEnded || !Self.isFlag(argument) {
                words.append(argument)
                continue
            }
            if argument == "--" {
                flagsEnded = true
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts[0] == "-h" ? "--help" : parts[0]
            if name == "--liveness" {
                throw CommandFailure(
                    .usage,
                    "--liveness is not in this version, which keeps what was written until it is retracted: leave it out"
                )
            }
            guard let flag = Self.known.first(where: { $0.name == name }) else { throw Self.unknown(name, Self.known) }
            guard flags[name] == nil else { throw CommandFailure(.usage, "\(name) is given twice: give it once") }
            switch (flag.value, parts.count) {
            case (nil, 1): flags[name] = ""
            case (nil, _): throw CommandFailure(.usage, "\(name) takes no value")
            case (_, 2): flags[name] = parts[1]
            case (let value?, _):
                guard index < arguments.count else {
                    throw CommandFailure(.usage, "\(name) needs a value: \(name) \(value)")
                }
                flags[name] = arguments[index]
                index += 1
            }
        }
    }

    private static func isFlag(_ argument: String) -> Bool {
        argument.hasPrefix("--") || argument == "-h"
    }

    /// Of all verbs: whether a flag takes a value must not depend on where the verb stands.
    private static var known: [Flag] { GlobalOptions.flags + Verb.all.flatMap(\.flags) }

    private static func unknown(_ name: String, _ candidates: [Flag]) -> CommandFailure {
        if ["--port", "--host", "--address"].contains(name) {
            return CommandFailure(.usage, "'\(name)' is no flag of convergectl: say --server HOST:PORT")
        }
        let hint = nearest(to: name, among: candidates.map(\.name)).map { "; did you mean \($0)?" } ?? ""
        return CommandFailure(.usage, "'\(shown(name))' is no flag of convergectl\(hint)")
    }

    /// The flags, which must be global or the verb's.
    func invocation(of verb: Verb, _ words: [String], in shell: ShellContext?) throws -> Invocation {
        for name in flags.keys.sorted() {
            guard !(GlobalOptions.flags + verb.flags).contains(where: { $0.name == name }) else { continue }
            throw CommandFailure(.usage, "\(name) is no flag of '\(verb.name)'; usage: \(verb.usage)")
        }
        guard words.count == verb.words.count else {
            if words.count > verb.words.count, verb.words.last == "JSON", !words[verb.words.count - 1].isBraced {
                throw CommandFailure(
                    .usage, "the JSON came as several words: put the JSON in single quotes; usage: \(verb.usage)")
            }
            let problem =
                words.count < verb.words.count
                ? "\(verb.words[words.count]) is missing" : "'\(shown(words[verb.words.count]))' is one word too many"
            throw CommandFailure(.usage, "\(problem); usage: \(verb.usage)")
        }
        let all = flags.merging(shell?.flags ?? [:]) { own, _ in own }
        let invocation = Invocation(
            verb: verb, words: words, flags: flags, global: try GlobalOptions(all), shell: shell)
        if shell != nil, let place = verb.words.firstIndex(of: "FILE"), words[place] == "-" {
            throw CommandFailure(.usage, "standard input is where the shell's commands come from: name a file, not '-'")
        }
        return invocation
    }
}
