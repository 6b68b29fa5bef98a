import ConvergeClient
import Glibc

/// The whole command: parse, run the verb, say in one sentence what went wrong.
enum Command {
    static let version = "0.1.0"

    static func run(_ arguments: [String]) async -> ExitCode {
        do {
            return try await execute(arguments, in: nil)
        } catch {
            let failure = CommandFailure(any: error)
            talk("convergectl: \(shown(failure.sentence))")
            return failure.code
        }
    }

    /// - Parameter shell: the shell that the line was typed in; nil: a command of its own.
    static func execute(_ arguments: [String], in shell: ShellContext?) async throws -> ExitCode {
        let line = try CommandLineParser(arguments)
        if line.flags["--version"] != nil {
            printNow("convergectl \(version)")
            return .ok
        }
        let isHelp = line.words.first == "help"
        if isHelp || line.flags["--help"] != nil {
            printNow(try help(isHelp ? Array(line.words.dropFirst()) : line.words, in: shell))
            return .ok
        }
        guard let (verb, words) = try Verb.find(line.words, or: shell == nil ? [] : Shell.ownWords) else {
            guard shell == nil else { throw CommandFailure(.usage, "a verb is missing: 'help' lists them") }
            talk(Usage.all)
            return .usage
        }
        return try await verb.run(line.invocation(of: verb, words, in: shell))
    }

    private static func help(_ words: [String], in shell: ShellContext?) throws -> String {
        if words.count == 1 {
            let family = Verb.family(words[0])
            if !family.isEmpty { return family.map(Usage.of).joined(separator: "\n\n") }
        }
        return try Verb.find(words).map { Usage.of($0.verb) } ?? (shell == nil ? Usage.all : Usage.shell)
    }

    static func end(_ code: ExitCode) -> Never {
        exit(code.rawValue)
    }

    private static func printNow(_ text: String) {
        let output = Output()
        output.line(text)
        output.flush()
    }
}

extension CommandFailure {
    init(any error: any Error) {
        switch error {
        case let failure as CommandFailure: self = failure
        case let error as ClientError: self.init(error)
        case is CancellationError: self.init(.interrupted, "interrupted")
        default: self.init(.usage, "\(error)")
        }
    }

    init(_ error: ClientError) {
        let code: ExitCode
        switch error.kind {
        case .cannotConnect, .closed, .protocolViolation: code = .cannotConnect
        case .timedOut: code = .timedOut
        case .cancelled: code = .interrupted
        case .invalid: code = .usage
        case .refused(.unknownKind): code = .notFound
        case .refused(.notAllowed), .refused(.readOnly): code = .notAllowed
        case .refused(.timedOut): code = .timedOut
        case .refused: code = .refused
        }
        self.init(code, error.description)
    }
}
