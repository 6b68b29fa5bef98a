import Glibc

/// A command line taken apart: one word, the workload, and flags as `--name VALUE` or `--name=VALUE`, anywhere.
struct Arguments {
    private(set) var word: String?
    private(set) var isAskingForHelp = false
    private var flags: [(option: OptionDefinition, text: String)] = []

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--help" || argument == "-h" {
                isAskingForHelp = true
                continue
            }
            guard argument.hasPrefix("-") else {
                guard word == nil else { throw Self.usage("'\(argument)' is one word too many") }
                word = argument
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = OptionDefinition.all.first(where: { $0.name == parts[0] }) else {
                throw Self.usage("'\(parts[0])' is no flag of converge-bench")
            }
            guard !flags.contains(where: { $0.option.name == option.name }) else {
                throw Self.usage("\(option.name) is given twice")
            }
            switch (option.value.isEmpty, parts.count) {
            case (true, 1): flags.append((option, ""))
            case (true, _): throw Self.usage("\(option.name) takes no value")
            case (false, 2): flags.append((option, parts[1]))
            case (false, _):
                guard let value = rest.popFirst() else { throw Self.usage("\(option.name) needs a value") }
                flags.append((option, value))
            }
        }
        let names = flags.map(\.option.name)
        if names.contains("--seconds"), names.contains("--operations") {
            throw Self.usage("--seconds and --operations exclude each other")
        }
    }

    /// Puts the environment's and the flags' values into the options.
    func apply(to options: inout Options, workload: String) throws {
        if !flags.contains(where: { $0.option.name == "--server" }), let text = getenv("CONVERGEDB_SERVER"),
            text.pointee != 0, let server = OptionDefinition.all.first(where: { $0.name == "--server" })
        {
            try Self.take(String(cString: text), for: server, named: "CONVERGEDB_SERVER", into: &options)
        }
        options.given = Set(flags.map(\.option.name))
        for flag in flags { try Self.take(flag.text, for: flag.option, named: flag.option.name, into: &options) }
    }

    private static func take(
        _ text: String, for option: OptionDefinition, named name: String, into options: inout Options
    ) throws {
        if let complaint = option.apply(&options, text) {
            throw BenchFailure(.usage, "\(name) \(complaint), not '\(text)'")
        }
    }

    private static func usage(_ problem: String) -> BenchFailure {
        BenchFailure(.usage, "\(problem); 'converge-bench --help' lists workloads and flags")
    }
}

enum Usage {
    static var text: String {
        """
        converge-bench: what a ConvergeDB server does a second, and what that costs it

        usage: converge-bench WORKLOAD [FLAGS]

        workloads
        \(table(Workload.all.map { ($0.name, $0.summary) }))

        flags, anywhere on the line
        \(table(OptionDefinition.all.map { ($0.value.isEmpty ? $0.name : "\($0.name) \($0.value)", $0.help) }))

        The report goes to standard output, progress and errors to standard error. Exit codes: 0 ok, 1 refused by the
        server, 2 usage, 3 cannot connect or the connection broke, 5 time-out, 7 a check failed.
        """
    }

    private static func table(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { "  \($0.0)\(String(repeating: " ", count: width - $0.0.count))  \($0.1)" }
            .joined(separator: "\n")
    }
}
