import ConvergeTestSupport
import Glibc

struct Ended {
    /// Exit code; -1: ended by a signal.
    let status: Int32
    let output: String
    let errors: String
}

/// A program of this package, from the folder in CONVERGE_BIN_DIR. What it says goes to files: a pipe's end may be
/// inherited by a child of another test, and then does not end with this one.
final class Child {
    let pid: pid_t
    private let output = Child.file()
    private let errors = Child.file()
    private var isWaitedFor = false

    /// - Parameter errorsTo: descriptor for its stderr instead of a file.
    init(_ program: String, _ arguments: [String], errorsTo: Int32? = nil) throws {
        guard let folder = getenv("CONVERGE_BIN_DIR").map({ String(cString: $0) }) else {
            throw ClientFailure("set CONVERGE_BIN_DIR to the folder with the built programs, or run make test-swift")
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, errorsTo ?? errors, 2)
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        var environment = (["LC_ALL=C.UTF-8"] + Process.inherited).map { strdup($0) } + [nil]
        var child: pid_t = 0
        let failure = posix_spawn(&child, "\(folder)/\(program)", &actions, nil, &words, &environment)
        posix_spawn_file_actions_destroy(&actions)
        for word in words + environment { free(word) }
        guard failure == 0 else { throw ClientFailure("cannot start \(folder)/\(program): errno \(failure)") }
        pid = child
    }

    deinit {
        if !isWaitedFor {
            kill(pid, SIGKILL)
            _ = wait()
        }
        close(output)
        close(errors)
    }

    func wait() -> Ended {
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        isWaitedFor = true
        return Ended(
            status: status & 0x7F == 0 ? status >> 8 & 0xFF : -1, output: Child.text(output),
            errors: Child.text(errors))
    }

    /// A file without a name.
    private static func file() -> Int32 {
        var path = Array("/tmp/converge-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        unlink(path)
        return descriptor
    }

    private static func text(_ file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(file, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}

/// A convergedb on a free port.
final class ServerProcess {
    let address: String
    private let child: Child

    var pid: pid_t { child.pid }

    init(_ flags: String...) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ClientFailure("no pipe: errno \(errno)") }
        defer { close(ends[0]) }
        child = try Child("convergedb", ["serve", "--memory", "--listen", "127.0.0.1:0"] + flags, errorsTo: ends[1])
        close(ends[1])
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(ends[0], &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("ready on ") else { throw ClientFailure("convergedb did not start: \(text)") }
        address = String(text.dropFirst("ready on ".count))
    }
}
