import ConvergeClient
import Glibc

/// The whole command: parse, run the verb, say in one sentence what went wrong.
enum Command {
    static let version = "0.1.0"

    static func run(_ arguments: [String]) async -> ExitCode {
        do {
            let line = try CommandLineParser(arguments)
            if line.flags["--version"] != nil {
                printNow("convergectl \(version)")
                return .ok
            }
            let isHelp = line.words.first == "help"
            if isHelp || line.flags["--help"] != nil {
                printNow(try help(isHelp ? Array(line.words.dropFirst()) : line.words))
                return .ok
            }
            guard let (verb, words) = try Verb.find(line.words) else {
                talk(Usage.all)
                return .usage
            }
            return try await verb.run(line.invocation(of: verb, words))
        } catch let failure as CommandFailure {
            return fail(failure)
        } catch let error as ClientError {
            return fail(CommandFailure(error))
        } catch {
            return fail(CommandFailure(.usage, "\(error)"))
        }
    }

    private static func help(_ words: [String]) throws -> String {
        if words.count == 1 {
            let family = Verb.family(words[0])
            if !family.isEmpty { return family.map(Usage.of).joined(separator: "\n\n") }
        }
        return try Verb.find(words).map { Usage.of($0.verb) } ?? Usage.all
    }

    static func end(_ code: ExitCode) -> Never {
        exit(code.rawValue)
    }

    private static func fail(_ failure: CommandFailure) -> ExitCode {
        talk("convergectl: \(shown(failure.sentence))")
        return failure.code
    }

    private static func printNow(_ text: String) {
        let output = Output()
        output.line(text)
        output.flush()
    }
}

extension CommandFailure {
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
