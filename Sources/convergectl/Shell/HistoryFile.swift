import Glibc

/// The lines that were typed, one a line, for the next time: `$XDG_STATE_HOME/convergedb/history`, else under
/// `~/.local/state`. Mode 0600, at most 1,000 lines. What cannot be read or written is not kept, and nobody is told: a
/// shell is of use without it.
struct HistoryFile {
    static let linesMax = 1000
    /// A line longer than this is not kept.
    private static let lineBytesMax = 4096
    /// More than this is not read: 1,000 lines of the longest kind.
    private static let fileBytesMax = linesMax * (lineBytesMax + 1)

    private let path: String?
    private(set) var lines: [String]
    private var last: String?

    /// Opens the file of the environment, and makes it short enough.
    init() {
        path = Self.makePath()
        lines = []
        guard let path, let found = Self.read(path) else { return }
        lines = found.suffix(Self.linesMax)
        last = lines.last
    }

    /// Keeps a line that was typed; not one that begins with a space, nor the same again.
    mutating func append(_ line: String) {
        guard let path, line != last, !line.hasPrefix(" "), line.utf8.count <= Self.lineBytesMax,
            !line.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 })
        else { return }
        last = line
        guard let file = Self.open(path, O_RDWR | O_APPEND | O_CREAT) else { return }
        defer { close(file) }
        // Other shells write here too.
        flock(file, LOCK_EX)
        let before = Self.lines(of: file)
        guard before.count >= Self.linesMax else {
            _ = writeAll(file, Array("\(line)\n".utf8))
            return
        }
        let kept = before.suffix(Self.linesMax - 1) + [line]
        guard ftruncate(file, 0) == 0 else { return }
        _ = writeAll(file, Array((kept.joined(separator: "\n") + "\n").utf8))
    }

    private static func makePath() -> String? {
        func variable(_ name: String) -> String? {
            getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        guard let state = variable("XDG_STATE_HOME") ?? variable("HOME").map({ "\($0)/.local/state" }) else {
            return nil
        }
        let folder = "\(state)/convergedb"
        var made = ""
        for part in folder.split(separator: "/") {
            made += "/\(part)"
            mkdir(made, 0o700)
        }
        return "\(folder)/history"
    }

    private static func open(_ path: String, _ flags: Int32) -> Int32? {
        let file = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
        guard file >= 0 else { return nil }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid() else {
            close(file)
            return nil
        }
        if status.st_mode & 0o077 != 0 { fchmod(file, 0o600) }
        return file
    }

    private static func read(_ path: String) -> [String]? {
        guard let file = open(path, O_RDONLY) else { return nil }
        defer { close(file) }
        return lines(of: file)
    }

    /// Whole lines of the end of the file.
    private static func lines(of file: Int32) -> [String] {
        var status = stat()
        guard fstat(file, &status) == 0 else { return [] }
        let size = min(Int(status.st_size), fileBytesMax)
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = max(0, pread(file, buffer.baseAddress, size, status.st_size - off_t(size)))
        }
        return bytes.split(separator: 0x0A).suffix(linesMax).map { String(decoding: $0, as: UTF8.self) }
    }
}
