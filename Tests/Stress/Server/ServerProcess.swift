import Glibc

/// The server's process: started on a port of its choice, ended by its id, its stderr kept.
final class ServerProcess {
    private static let endMilliseconds = 15_000
    private static let startMilliseconds = 15_000

    let port: UInt16
    let windowMilliseconds: Int
    private let pid: pid_t
    private let errors: Int32
    private let isAuto: Bool
    private var status: Int32?

    init(_ options: Options, windowMilliseconds: Int) throws(StressFailure) {
        var path = Array("/tmp/converge-stress-XXXXXX".utf8CString)
        errors = mkstemp(&path)
        guard errors >= 0 else { throw StressFailure("no file for the server's stderr in /tmp: errno \(errno)") }
        unlink(path)
        self.windowMilliseconds = windowMilliseconds
        isAuto = options.net == "auto"
        let arguments = [
            options.server, "serve", "--memory", "--listen", "\(World.host):0", "--net", options.net, "--shards",
            "\(options.shards)", "--partitions",
            "\(options.partitions)", "--window-ms", "\(windowMilliseconds)",
        ]
        pid = try ServerProcess.spawn(arguments, errors: errors)
        guard let port = ServerProcess.awaitPort(errors) else {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw StressFailure("the server \(options.server) did not start; it said: '\(ServerProcess.text(errors))'")
        }
        self.port = port
    }

    deinit {
        if status == nil {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        close(errors)
    }

    private static func spawn(_ arguments: [String], errors: Int32) throws(StressFailure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, errors, 1)
        posix_spawn_file_actions_adddup2(&actions, errors, 2)
        var words = arguments.map { strdup($0) } + [nil]
        var child: pid_t = 0
        let failure = posix_spawn(&child, arguments[0], &actions, nil, &words, environ)
        posix_spawn_file_actions_destroy(&actions)
        for word in words { free(word) }
        guard failure == 0 else {
            throw StressFailure(
                "cannot start \(arguments[0]): \(String(cString: strerror(failure))); build it, or give --server")
        }
        return child
    }

    private static func awaitPort(_ errors: Int32) -> UInt16? {
        for _ in 0..<startMilliseconds / 5 {
            let text = text(errors)
            if let line = text.split(separator: "\n").first, text.contains("\n") {
                guard line.hasPrefix("ready on "), let colon = line.lastIndex(of: ":") else { return nil }
                return UInt16(line[line.index(after: colon)...])
            }
            usleep(5_000)
        }
        return nil
    }

    /// User and system time so far.
    var cpuSeconds: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    func terminate() { kill(pid, SIGTERM) }

    /// - Throws: it does not end, or not with status 0, or has said more than that it is ready.
    func awaitEnd() throws(StressFailure) {
        for _ in 0..<Self.endMilliseconds / 5 where !hasEnded { usleep(5_000) }
        guard let status else { throw StressFailure("the server did not end within 15 s of SIGTERM") }
        guard status == 0 else {
            throw StressFailure("the server ended with \(ServerProcess.words(status)) after SIGTERM")
        }
        let lines = Self.text(errors).split(separator: "\n")
        let surplus = lines.dropFirst().filter { !(isAuto && $0.hasPrefix("sockets are served by epoll: ")) }
        guard surplus.isEmpty else {
            throw StressFailure("the server said on stderr: '\(surplus.joined(separator: "\n"))'")
        }
    }

    private var hasEnded: Bool {
        if status != nil { return true }
        var ended: Int32 = 0
        guard waitpid(pid, &ended, WNOHANG) == pid else { return false }
        status = ended
        return true
    }

    /// A failure with what the server has to say of it: that it has ended, and its last words.
    func explain(_ failure: StressFailure) -> StressFailure {
        // What broke the connections may be its death, which takes a moment.
        for _ in 0..<20 where !hasEnded { usleep(5_000) }
        let said = Self.text(errors).split(separator: "\n").dropFirst().joined(separator: "\n")
        let end = status.map { "; the server has ended with \(ServerProcess.words($0))" } ?? ""
        return StressFailure(failure.sentence + end + (said.isEmpty ? "" : "; it said: '\(said)'"))
    }

    private static func words(_ status: Int32) -> String {
        status & 0x7F == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
    }

    private static func text(_ file: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = pread(file, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
