/// What `--help` prints.
enum Usage {
    static var all: String {
        let verbs = Verb.all.map { (($0.name + " " + $0.words.joined(separator: " ")), $0.summary) }
        return """
            convergectl: assert, watch and query what a ConvergeDB server holds

            usage: convergectl [FLAGS] VERB ...

            verbs
            \(table(verbs))

            flags, anywhere on the line
            \(table(GlobalOptions.flags.map(row)))

            ids
            \(table([
                ("order-1234", "text of up to 32 bytes; text:order-1234 is the same"),
                ("str:any text", "its SHA-256, for longer names"),
                ("int:42", "a number from 0 to 18446744073709551615"),
                ("uuid:… hex:…", "a UUID; 64 hexadecimal digits"),
            ]))
            What is printed is the text if the bytes of an id are printable, else hex: and
            the digits: int:42 is shown as *, int:1 as hex:0100….

            Data goes to standard output, talk to standard error. Exit codes: 0 ok,
            1 refused by the server, 2 usage, 3 cannot connect, 4 not allowed, 5 time-out,
            6 not found, 7 a check failed, 130 interrupted.
            'convergectl VERB --help' says more about a verb.
            """
    }

    /// What `help` prints inside a shell.
    static var shell: String {
        let verbs = Verb.all.filter { $0.name != Verb.shell.name }
        let rows = verbs.map { (($0.name + " " + $0.words.joined(separator: " ")), $0.summary) }
        return table(rows + [("help [VERB]", "This text, or more about a verb"), ("exit", "Leave; so does Ctrl-D")])
    }

    static func of(_ verb: Verb) -> String {
        var text = "\(verb.summary)\n\nusage: \(verb.usage)"
        if !verb.flags.isEmpty { text += "\n\n" + table(verb.flags.map(row)) }
        if !verb.details.isEmpty { text += "\n\n" + verb.details }
        return text + "\n\nGlobal flags: \(GlobalOptions.flags.map(\.name).joined(separator: " "))"
    }

    private static func row(_ flag: Flag) -> (String, String) {
        (flag.name + (flag.value.map { " \($0)" } ?? ""), flag.help)
    }

    private static func table(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { "  \(padded($0.0, width))  \($0.1)" }.joined(separator: "\n")
    }
}

/// The text with spaces behind it, up to a width in characters.
func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
