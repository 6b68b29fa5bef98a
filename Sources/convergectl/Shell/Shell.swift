import ConvergeClient
import Glibc

extension Verb {
    static let shell = Verb(
        name: "shell", words: [], summary: "Run commands typed at a prompt, or from a pipe",
        details: """
            Each line is a command without 'convergectl'; words are quoted as in a shell:
            '...', "..." and \\. All lines share one connection, which is made again when
            the server went away. The flags of the shell hold for every line. Also: help,
            help VERB, exit.

            On a terminal: Tab completes verbs, flags, kinds and files; the arrows walk the
            history, kept in $XDG_STATE_HOME/convergedb/history (else ~/.local/state), but
            for lines that begin with a space. Ctrl-C forgets the line, or ends a running
            command; Ctrl-D leaves.

            From a pipe or a file: no prompt; # begins a comment. The first command that
            fails ends the shell with its exit code; with --keep-going the rest runs too.
            """,
        flags: [Flag("--keep-going", nil, "commands from a pipe: go on after one that fails")],
        run: { try await runShell($0) })
}

private func runShell(_ invocation: Invocation) async throws -> ExitCode {
    guard invocation.shell == nil else {
        throw CommandFailure(.usage, "this is the shell already: type a verb, or 'help'")
    }
    var flags = invocation.flags
    flags["--keep-going"] = nil
    let shell = Shell(ShellContext(flags: flags, connection: KeptConnection(invocation.global)), invocation.global)
    let code =
        isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
        ? try await shell.converse() : try await shell.runScript(keepGoing: invocation.has("--keep-going"))
    await shell.context.connection.close()
    return code
}

/// A loop over lines: from a person, or from a pipe.
struct Shell {
    private enum Outcome {
        case ran(ExitCode)
        case leave
    }

    /// What it understands besides verbs.
    static let ownWords = ["help", "exit"]

    let context: ShellContext
    private let options: GlobalOptions

    /// How long Tab waits for the server.
    private static let completionMilliseconds = 200

    init(_ context: ShellContext, _ options: GlobalOptions) {
        self.context = context
        self.options = options
    }

    // MARK: - a person

    /// Lines with a prompt, until `exit` or Ctrl-D. What goes wrong is said, and nothing ends for it.
    func converse() async throws -> ExitCode {
        Interrupts.keepRunning()
        var history = HistoryFile()
        let connection = context.connection
        let completer = Completer {
            BriefWait.value(within: Self.completionMilliseconds) { await connection.kindNames() } ?? []
        }
        let editor = try LineEditor(
            prompt: "\(options.address)> ", history: history.lines, complete: completer.complete)
        await greet()
        while true {
            switch await editor.nextLine() {
            case .interrupted: continue
            case .end:
                talk("")
                return .ok
            case .text(let line):
                guard !ShellWords(scanning: line).words.isEmpty else { continue }
                editor.remember(line)
                history.append(line)
                switch await run(line, prefix: "") {
                case .leave: return .ok
                case .ran(.interrupted): talk("")
                case .ran: break
                }
            }
        }
    }

    /// Connects before the first command, so that Tab knows the kinds, and says what is there.
    private func greet() async {
        do {
            let client = try await Interrupts.cancelling { try await context.connection.ready() }
            talk("\(shown(client.server.name)) at \(options.address); 'help' lists the verbs, Ctrl-D leaves")
        } catch {
            talk(CommandFailure(any: error).sentence)
        }
    }

    // MARK: - a pipe

    /// - Returns: the exit code of the first command that failed; 0 if none did.
    func runScript(keepGoing: Bool) async throws -> ExitCode {
        var input = ScriptLines()
        var first = ExitCode.ok
        while let line = try input.next() {
            guard case .ran(let code) = await run(line, prefix: "convergectl: line \(input.number): ") else { break }
            if first == .ok { first = code }
            if code == .interrupted || code != .ok && !keepGoing { return code }
        }
        return first
    }

    // MARK: - a line

    private func run(_ line: String, prefix: String) async -> Outcome {
        do {
            var words = try ShellWords.split(line)
            if words.first == "convergectl" { words.removeFirst() }
            if words.isEmpty { return .ran(.ok) }
            if words == ["exit"] || words == ["quit"] { return .leave }
            let arguments = words
            let context = context
            let code = try await Interrupts.cancelling { try await Command.execute(arguments, in: context) }
            return .ran(code)
        } catch {
            let failure = CommandFailure(any: error)
            if failure.code == .interrupted {
                await context.connection.drop()
            } else {
                talk(prefix + shown(failure.sentence))
            }
            return .ran(failure.code)
        }
    }
}

/// Standard input, line by line.
private struct ScriptLines {
    private static let lineBytesMax = 4 << 20

    private var bytes: [UInt8] = []
    private var isAtEnd = false
    /// Of the line that `next` returned, from 1.
    private(set) var number = 0

    mutating func next() throws -> String? {
        var searched = 0
        while true {
            if let end = bytes[searched...].firstIndex(of: 0x0A) {
                defer { bytes.removeFirst(end + 1) }
                return try text(bytes[..<end])
            }
            guard !isAtEnd else {
                defer { bytes = [] }
                return bytes.isEmpty ? nil : try text(bytes[...])
            }
            searched = bytes.count
            guard bytes.count <= Self.lineBytesMax else {
                throw CommandFailure(
                    .usage, "line \(number + 1) is longer than \(Self.lineBytesMax) bytes: one command stands on a line"
                )
            }
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(STDIN_FILENO, &piece, piece.count)
            if count > 0 { bytes += piece.prefix(count) } else if count == 0 || errno != EINTR { isAtEnd = true }
        }
    }

    private mutating func text(_ line: ArraySlice<UInt8>) throws -> String {
        number += 1
        guard let text = String(validating: line, as: UTF8.self) else {
            throw CommandFailure(.usage, "line \(number) is not valid UTF-8: save the commands as UTF-8")
        }
        return text
    }
}
