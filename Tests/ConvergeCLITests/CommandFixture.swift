import ConvergeJSON
import ConvergeTestSupport
import Glibc
import Testing

/// A program of this package and what it prints, read as it comes. It is killed and waited for when it is let go.
final class Process {
    struct Ended {
        /// Exit code; 128 + number when a signal ended it.
        let status: Int32
        let output: String
        let errors: String

        /// Standard output as one JSON document.
        func json() throws -> JSONValue { try JSONValue(parsing: Array(output.utf8)) }

        /// Standard output as JSON, one object a line.
        func jsonLines() throws -> [JSONValue] {
            try output.split(separator: "\n").map { try JSONValue(parsing: Array($0.utf8)) }
        }
    }

    let pid: pid_t
    private let output: Reader
    private let errors: Reader
    private var isWaitedFor = false

    /// - Parameters:
    ///   - input: what it reads from standard input; nil: nothing.
    ///   - environment: in addition to a fixed locale, to how sockets are served (make test-io-uring), and to what the
    ///     sanitizers are told.
    init(_ program: String, _ arguments: [String], input: String? = nil, environment: [String] = []) throws {
        // Otherwise a program that another test starts just now would inherit the pipes, and keep them from ending.
        Process.spawning.lock()
        defer { Process.spawning.unlock() }
        output = try Reader()
        errors = try Reader()
        let stdin = try Process.file(holding: input ?? "")
        defer { close(stdin) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, stdin, 0)
        posix_spawn_file_actions_adddup2(&actions, output.writeEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, errors.writeEnd, 2)
        let path = "\(Process.folder)/\(program)"
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        var variables = (["LC_ALL=C.UTF-8"] + Process.inherited + environment).map { strdup($0) } + [nil]
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, &actions, nil, &words, &variables)
        posix_spawn_file_actions_destroy(&actions)
        for word in words + variables { free(word) }
        output.closeWriteEnd()
        errors.closeWriteEnd()
        guard failure == 0 else { throw ClientFailure("cannot start \(path): errno \(failure)") }
        pid = child
    }

    deinit {
        if !isWaitedFor {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
    }

    /// The next line of standard output; nil at its end.
    func nextLine() throws -> String? { try output.nextLine() }

    /// The next line of standard error; nil at its end.
    func nextErrorLine() throws -> String? { try errors.nextLine() }

    /// The reader of its output goes away.
    func closeOutput() { output.end() }

    func signal(_ number: Int32) { kill(pid, number) }

    /// Waits for its end. Output that was read as lines is not in it.
    func wait() throws -> Ended {
        let texts = try Reader.readAll(output, errors)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        isWaitedFor = true
        let code = status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
        return Ended(status: code, output: texts.0, errors: texts.1)
    }

    private static let spawning = SpawnLock()

    /// What the programs get of this process's environment.
    static let inherited: [String] = [
        "CONVERGEDB_NET", "CONVERGEDB_SHARDS", "CONVERGEDB_PARTITIONS", "ASAN_OPTIONS", "LSAN_OPTIONS",
        "ASAN_SYMBOLIZER_PATH",
    ].compactMap { (name: String) in getenv(name).map { "\(name)=\(String(cString: $0))" } }

    /// Where the programs are: as the Makefile says, else beside the test bundle.
    static var folder: String {
        if let folder = getenv("CONVERGE_BIN_DIR") { return String(cString: folder) }
        return CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
    }

    private static func file(holding text: String) throws -> Int32 {
        var path = Array("/tmp/converge-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&path)
        unlink(path)
        var bytes = Array(text.utf8)
        guard pwrite(descriptor, &bytes, bytes.count, 0) == bytes.count else {
            throw ClientFailure("cannot write a temporary file: errno \(errno)")
        }
        return descriptor
    }
}

private final class SpawnLock: @unchecked Sendable {
    private var mutex = pthread_mutex_t()

    init() { pthread_mutex_init(&mutex, nil) }
    func lock() { pthread_mutex_lock(&mutex) }
    func unlock() { pthread_mutex_unlock(&mutex) }
}

/// The reading end of a pipe. Every read has a deadline, so that no test hangs.
private final class Reader {
    private static let deadlineMilliseconds: Int32 = 60_000

    private var readEnd: Int32
    private(set) var writeEnd: Int32
    private var bytes: [UInt8] = []
    private var hasEnded = false

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ClientFailure("no pipe: errno \(errno)") }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    deinit {
        end()
        closeWriteEnd()
    }

    func end() {
        if readEnd >= 0 { close(readEnd) }
        readEnd = -1
        hasEnded = true
    }

    func closeWriteEnd() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    func nextLine() throws -> String? {
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeFirst(end + 1) }
                return String(decoding: bytes[..<end], as: UTF8.self)
            }
            if hasEnded { return nil }
            try Reader.receive([self])
        }
    }

    /// Both at once: a program must not be held up by the one that nobody reads.
    static func readAll(_ first: Reader, _ second: Reader) throws -> (String, String) {
        while !first.hasEnded || !second.hasEnded { try receive([first, second].filter { !$0.hasEnded }) }
        return (String(decoding: first.bytes, as: UTF8.self), String(decoding: second.bytes, as: UTF8.self))
    }

    private static func receive(_ readers: [Reader]) throws {
        var polled = readers.map { pollfd(fd: $0.readEnd, events: Int16(POLLIN), revents: 0) }
        let ready = poll(&polled, nfds_t(polled.count), deadlineMilliseconds)
        if ready < 0, errno == EINTR { return }
        guard ready > 0 else { throw ClientFailure("the program printed nothing for a minute") }
        for (reader, state) in zip(readers, polled) where state.revents != 0 {
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(reader.readEnd, &piece, piece.count)
            if count > 0 { reader.bytes += piece.prefix(count) } else { reader.hasEnded = true }
        }
    }
}

/// A convergedb on a free port, and convergectl against it.
final class Tool {
    let address: String
    private let server: Process

    init() throws {
        server = try Process("convergedb", ["serve", "--memory", "--listen", "127.0.0.1:0"])
        let line = try server.nextErrorLine() ?? ""
        guard line.hasPrefix("ready on ") else { throw ClientFailure("convergedb did not start: \(line)") }
        address = String(line.dropFirst("ready on ".count))
    }

    func start(_ arguments: String..., input: String? = nil) throws -> Process {
        try Process("convergectl", ["--server", address] + arguments, input: input)
    }

    @discardableResult
    func run(_ arguments: String..., input: String? = nil) throws -> Process.Ended {
        try Process("convergectl", ["--server", address] + arguments, input: input).wait()
    }

    /// Asks the server to end.
    func stop() { server.signal(SIGTERM) }

    /// The server's exit code.
    func waitForEnd() throws -> Int32 { try server.wait().status }

    /// With the kind `Gauge` registered.
    static func withGauge() throws -> Tool {
        let tool = try Tool()
        let applied = try tool.run("kind", "apply", "-", input: gauge)
        guard applied.status == 0 else { throw ClientFailure("kind apply failed: \(applied.errors)") }
        return tool
    }

    static let gauge = """
        { "name": "Gauge", "durability": "ephemeral",
          "fields": [ { "name": "level", "type": "i16" },
                      { "name": "label", "type": "string", "max": 8 },
                      { "name": "open", "type": "bool" },
                      { "name": "owned", "type": "u32", "owners": [7] } ] }

        """
}

/// A file with a name that lives as long as this value.
final class TemporaryFile {
    let path: String

    init(_ text: String) throws {
        var name = Array("/tmp/converge-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        defer { close(descriptor) }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        var bytes = Array(text.utf8)
        guard write(descriptor, &bytes, bytes.count) == bytes.count else {
            throw ClientFailure("cannot write \(path): errno \(errno)")
        }
    }

    deinit { unlink(path) }
}
