/// What the command returns to the shell. Scripts depend on these numbers.
enum ExitCode: Int32, Sendable {
    case ok = 0
    /// The server refused what was asked.
    case refused = 1
    /// The command line or an input file is wrong; nothing was asked of the server because of it.
    case usage = 2
    /// No connection, or it broke.
    case cannotConnect = 3
    case notAllowed = 4
    case timedOut = 5
    case notFound = 6
    /// A comparison that the command was asked to make came out unequal.
    case checkFailed = 7
    /// SIGINT.
    case interrupted = 130
}

/// Ends the command with one sentence on stderr and an exit code.
struct CommandFailure: Error {
    let code: ExitCode
    let sentence: String

    init(_ code: ExitCode, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }
}
