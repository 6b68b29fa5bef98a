import CEditLine
import ConvergeClient
import Glibc

/// What Tab does: text to insert at the cursor, or several possible words to show.
struct Completion {
    var insertion = ""
    var choices: [String] = []
}

/// Reads lines from a terminal: editing, history, completion. The one place that knows libedit.
///
/// One line is read at a time, on a thread of its own: `el_gets` blocks, which a task must not.
final class LineEditor: @unchecked Sendable {
    enum Line: Sendable {
        case text(String)
        /// Ctrl-C: what was typed is forgotten.
        case interrupted
        /// Ctrl-D on an empty line, or the terminal has gone.
        case end
    }

    private let prompt: UnsafeMutablePointer<CChar>
    private let complete: (_ beforeCursor: String) -> Completion
    private let history: OpaquePointer
    private var editor: OpaquePointer?
    private var wasInterrupted = false

    /// - Parameters:
    ///   - history: earlier lines, the oldest first.
    ///   - complete: called on the reading thread.
    /// - Throws: `CommandFailure` when libedit does not take the terminal.
    init(prompt: String, history lines: [String], complete: @escaping @Sendable (String) -> Completion) throws {
        // Without a locale libedit takes no letters beyond ASCII.
        if setlocale(LC_CTYPE, "") == nil || String(cString: nl_langinfo(Int32(CODESET))) != "UTF-8" {
            setlocale(LC_CTYPE, "C.UTF-8")
        }
        let failure = CommandFailure(.usage, "this terminal cannot be edited on: feed commands through a pipe")
        guard let history = editline_history(Int32(HistoryFile.linesMax)) else { throw failure }
        self.prompt = strdup(prompt)
        self.history = history
        self.complete = complete
        for line in lines { editline_remember(history, line) }
        editor = editline_open(
            { LineEditor.owner(of: $0)?.prompt }, { editor, _ in LineEditor.owner(of: editor)?.completeWord() ?? 0 },
            { editor, _ in LineEditor.owner(of: editor)?.forgetLine() ?? 0 }, history,
            Unmanaged.passUnretained(self).toOpaque())
        guard editor != nil else { throw failure }
    }

    deinit {
        if let editor { el_end(editor) }
        history_end(history)
        free(prompt)
    }

    func nextLine() async -> Line {
        await withCheckedContinuation { continuation in
            let started = startThread { continuation.resume(returning: self.read()) }
            if !started { continuation.resume(returning: .end) }
        }
    }

    /// Puts a line where the up arrow finds it.
    func remember(_ line: String) {
        editline_remember(history, line)
    }

    private func read() -> Line {
        wasInterrupted = false
        editline_prepare(editor)
        var count: Int32 = 0
        let text = el_gets(editor, &count)
        if wasInterrupted { return .interrupted }
        guard let text, count > 0 else { return .end }
        let bytes = UnsafeRawBufferPointer(start: text, count: Int(count))
        return .text(String(decoding: bytes.last == 0x0A ? bytes.dropLast() : bytes[...], as: UTF8.self))
    }

    private static func owner(of editor: OpaquePointer?) -> LineEditor? {
        editline_owner(editor).map { Unmanaged<LineEditor>.fromOpaque($0).takeUnretainedValue() }
    }

    // MARK: - keys

    private func completeWord() -> UInt8 {
        guard let line = el_line(editor)?.pointee else { return UInt8(CC_ERROR) }
        let before = UnsafeRawBufferPointer(start: line.buffer, count: line.cursor - line.buffer)
        let completion = complete(String(decoding: before, as: UTF8.self))
        if !completion.insertion.isEmpty {
            return UInt8(el_insertstr(editor, completion.insertion) == 0 ? CC_REFRESH : CC_ERROR)
        }
        guard completion.choices.count > 1 else { return UInt8(CC_REFRESH_BEEP) }
        _ = writeAll(STDERR_FILENO, Array("\n\(columns(completion.choices))\n".utf8))
        return UInt8(CC_REDISPLAY)
    }

    private func forgetLine() -> UInt8 {
        wasInterrupted = true
        _ = writeAll(STDERR_FILENO, Array("^C\n".utf8))
        return UInt8(CC_NEWLINE)
    }

    private static let listed = 100

    /// Choices beside each other, as many as fit the terminal.
    private func columns(_ choices: [String]) -> String {
        var size = winsize()
        let width = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
        let shownChoices = choices.prefix(Self.listed).map { shown($0) }
        let column = (shownChoices.map(\.count).max() ?? 0) + 2
        let perLine = max(1, width / column)
        var lines: [String] = []
        for start in stride(from: 0, to: shownChoices.count, by: perLine) {
            let row = shownChoices[start..<min(start + perLine, shownChoices.count)]
            lines.append(row.dropLast().map { padded($0, column) }.joined() + (row.last ?? ""))
        }
        if choices.count > Self.listed { lines.append("… and \(choices.count - Self.listed) more") }
        return lines.joined(separator: "\n")
    }
}
