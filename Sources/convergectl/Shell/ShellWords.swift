/// Cuts a line into words as a POSIX shell does: blanks separate, '...' is literal, "..." takes \" and \\, a backslash makes
/// the next character literal, # at the beginning of a word ends the line. Nothing is expanded.
struct ShellWords {
    enum Quote: Character {
        case single = "'"
        case double = "\""
        case backslash = "\\"
    }

    /// The words that are complete; with `open`, the last one is not.
    private(set) var words: [String] = []
    /// Whether the line ends inside a word, which is then the last of `words`.
    private(set) var endsInWord = false
    /// The quote that the end of the line leaves open.
    private(set) var open: Quote?
    /// A word that an ordinary shell would act on, and this one does not.
    private(set) var shellOperator: String?

    private static let operators: Set<String> = ["|", ">", ">>", "<", "&", "&&", "||", ";"]

    init(scanning line: String) {
        var word = ""
        var wasQuoted = false
        var isEscaped = false
        for character in line.unicodeScalars {
            switch open {
            case .backslash:
                word.unicodeScalars.append(character)
                open = nil
            case .single:
                if character == "'" { open = nil } else { word.unicodeScalars.append(character) }
            case .double:
                if isEscaped {
                    if character != "\"", character != "\\" { word.append("\\") }
                    word.unicodeScalars.append(character)
                    isEscaped = false
                } else if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    open = nil
                } else {
                    word.unicodeScalars.append(character)
                }
            case nil:
                switch character {
                case " ", "\t", "\r":
                    end(&word, &wasQuoted)
                case "#" where !endsInWord: return
                case "'", "\"", "\\":
                    open = Quote(rawValue: Character(character))
                    endsInWord = true
                    wasQuoted = true
                default:
                    word.unicodeScalars.append(character)
                    endsInWord = true
                }
            }
        }
        if endsInWord {
            words.append(word)
            note(word, wasQuoted)
        }
    }

    private mutating func end(_ word: inout String, _ wasQuoted: inout Bool) {
        guard endsInWord else { return }
        words.append(word)
        note(word, wasQuoted)
        word = ""
        wasQuoted = false
        endsInWord = false
    }

    private mutating func note(_ word: String, _ wasQuoted: Bool) {
        if !wasQuoted, shellOperator == nil, Self.operators.contains(word) { shellOperator = word }
    }

    /// The words of a whole command.
    static func split(_ line: String) throws(CommandFailure) -> [String] {
        let scanned = ShellWords(scanning: line)
        switch scanned.open {
        case .backslash?:
            throw CommandFailure(.usage, "the line ends with a backslash: a command is one line, so take it away")
        case let quote?:
            let mark = quote.rawValue
            throw CommandFailure(.usage, "the quote \(mark) is never closed: close it, or write \\\(mark) for the mark")
        case nil: break
        }
        if let word = scanned.shellOperator {
            throw CommandFailure(
                .usage,
                "'\(word)' means nothing here: leave the shell and run 'convergectl VERB ... \(word) ...', or quote it")
        }
        return scanned.words
    }
}
