import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

/// converge-bench as a user runs it, in a tiny configuration: that it works, says what it promises, and fails when a run
/// is worth nothing. No number is judged here.
@Suite struct BenchSmokeTests {
    private static let keys = [
        "workload", "ops", "seconds", "ops_per_s", "server_cpu_us_per_op", "server_cpu_us_per_delivery",
        "client_cpu_us_per_op", "p50_us", "p99_us", "bytes_in", "bytes_out", "mean_send_bytes",
    ]

    @Test func assertAgainstAServerOfItsOwn() throws {
        let server = try ServerProcess()
        let ended = try run(
            "assert", "--server", server.address, "--server-pid", "\(server.pid)", "--connections", "3", "--entities",
            "500", "--row-bytes", "21", "--operations", "2000", "--json")
        #expect(ended.status == 0, "\(ended.errors)")
        for key in Self.keys { #expect(ended.output.contains("\"\(key)\":"), "no \(key) in \(ended.output)") }
        #expect(ended.output.contains("\"ops\":2000,"))
        #expect(!ended.output.contains("\"server_cpu_us_per_op\":null"))
        #expect(ended.output.contains("\"server_cpu_us_per_delivery\":null"))
    }

    @Test func batchesAndTheTable() throws {
        let server = try ServerProcess()
        let ended = try run(
            "assert", "--server", server.address, "--connections", "70", "--entities", "500", "--batch", "10",
            "--operations", "2000")
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.output.contains("operations"))
        #expect(!ended.output.contains("null"))
        #expect(!ended.output.contains("server CPU"), "the server's process was not given")
    }

    @Test func fanoutReachesEverySubscriber() throws {
        let server = try ServerProcess()
        let ended = try run(
            "fanout", "--server", server.address, "--server-pid", "\(server.pid)", "--subscribers", "4", "--entities",
            "200", "--rate", "0", "--operations", "5000", "--json")
        #expect(ended.status == 0, "\(ended.errors)")
        for key in Self.keys { #expect(ended.output.contains("\"\(key)\":"), "no \(key) in \(ended.output)") }
        for key in ["server_cpu_us_per_delivery", "mean_send_bytes", "deliveries"] {
            #expect(!ended.output.contains("\"\(key)\":null"))
        }
    }

    @Test func aWrongCommandLine() throws {
        for arguments in [["zigzag"], [], ["assert", "--rows", "3"], ["assert", "--entities", "0"]] {
            let ended = try run(arguments)
            #expect(ended.status == 2)
            #expect(ended.output.isEmpty && ended.errors.hasPrefix("converge-bench: "), "\(ended.errors)")
        }
    }

    @Test func nothingListens() throws {
        let server = try TestServer()
        try server.stop()
        let ended = try run(["assert", "--server", "127.0.0.1:\(server.port)"])
        #expect(ended.status == 3)
        #expect(ended.errors.contains("nothing listens on 127.0.0.1:\(server.port)"), "\(ended.errors)")
    }

    @Test func aRefusalFailsTheRun() throws {
        let server = try TestServer()
        let holder = try RawClient(server)
        try holder.connect(source: 0)
        let ended = try run([
            "assert", "--server", "127.0.0.1:\(server.port)", "--operations", "10", "--entities", "10",
        ])
        #expect(ended.status == 1)
        #expect(ended.output.isEmpty && ended.errors.contains("source 0 is held"), "\(ended.errors)")
    }

    @Test func aServerThatEndsFailsTheRun() throws {
        let server = try TestServer()
        let watcher = try RawClient(server)
        try watcher.connect(flags: .readOnly)
        let bench = try Child("converge-bench", ["assert", "--server", "127.0.0.1:\(server.port)", "--seconds", "600"])
        // Writes are under way: then it stops.
        while try watcher.request(Admin(json: Array(#"{"command":"stats"}"#.utf8)), AdminReply.self).hasNoWrites {}
        try server.stop()
        let ended = bench.wait()
        #expect(ended.status == 3)
        #expect(ended.output.isEmpty && ended.errors.hasPrefix("converge-bench: "), "\(ended.errors)")
    }

    private func run(_ arguments: String...) throws -> Ended { try run(arguments) }

    private func run(_ arguments: [String]) throws -> Ended { try Child("converge-bench", arguments).wait() }
}

extension AdminReply {
    fileprivate var hasNoWrites: Bool { String(decoding: json, as: UTF8.self).contains("\"applied\":0,") }
}

private struct Ended {
    /// Exit code; -1: ended by a signal.
    let status: Int32
    let output: String
    let errors: String
}

/// A program of this package, from the folder in CONVERGE_BIN_DIR. What it says goes to files: a pipe's end may be
/// inherited by a child of another test, and then does not end with this one.
private final class Child {
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
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("LC_ALL=C.UTF-8"), nil]
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
private final class ServerProcess {
    let address: String
    private let child: Child

    var pid: pid_t { child.pid }

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw ClientFailure("no pipe: errno \(errno)") }
        defer { close(ends[0]) }
        child = try Child("convergedb", ["serve", "--memory", "--listen", "127.0.0.1:0"], errorsTo: ends[1])
        close(ends[1])
        var line: [UInt8] = []
        var byte: UInt8 = 0
        while read(ends[0], &byte, 1) == 1, byte != UInt8(ascii: "\n") { line.append(byte) }
        let text = String(decoding: line, as: UTF8.self)
        guard text.hasPrefix("ready on ") else { throw ClientFailure("convergedb did not start: \(text)") }
        address = String(text.dropFirst("ready on ".count))
    }
}
