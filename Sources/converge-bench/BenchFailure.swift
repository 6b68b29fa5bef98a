/// What the program returns to the shell; the numbers are those of convergectl.
enum ExitCode: Int32 {
    case ok = 0
    /// The server refused a request or a write.
    case refused = 1
    case usage = 2
    /// No connection, or it broke.
    case cannotConnect = 3
    case timedOut = 5
    /// A reader missed something, or an answer was wrong: the numbers would be worth nothing.
    case checkFailed = 7
}

/// Ends the program with one sentence on stderr and an exit code.
struct BenchFailure: Error {
    let code: ExitCode
    let sentence: String

    init(_ code: ExitCode, _ sentence: String) {
        self.code = code
        self.sentence = sentence
    }
}
