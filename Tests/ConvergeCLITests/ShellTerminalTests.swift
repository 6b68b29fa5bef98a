import ConvergeTestSupport
import Glibc
import Testing

/// `convergectl shell` with a person at a terminal.
@Suite struct ShellTerminalTests {
    /// A shell whose history is in a folder of its own.
    private final class Desk {
        let tool: Tool
        let folder: String
        var history: String { "\(folder)/convergedb/history" }
        var prompt: String { "\(tool.address)> " }

        init() throws {
            tool = try Tool.withGauge()
            var name = Array("/tmp/converge-test-XXXXXX".utf8CString)
            guard mkdtemp(&name) != nil else { throw ClientFailure("no folder: errno \(errno)") }
            folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit {
            unlink(history)
            rmdir("\(folder)/convergedb")
            rmdir(folder)
        }

        /// At its first prompt.
        func sit(state: String? = nil) throws -> Terminal {
            let terminal = try Terminal(
                ["--server", tool.address, "shell"], environment: ["XDG_STATE_HOME=\(state ?? folder)"])
            try terminal.expect("'help' lists the verbs")
            try terminal.expect(prompt)
            return terminal
        }

        func historyText() throws -> String {
            let file = open(history, O_RDONLY)
            defer { close(file) }
            var bytes = [UInt8](repeating: 0, count: 64 << 10)
            let count = read(file, &bytes, bytes.count)
            guard count >= 0 else { throw ClientFailure("no history: errno \(errno)") }
            return String(decoding: bytes.prefix(count), as: UTF8.self)
        }
    }

    @Test func tabCompletesVerbsKindsFlagsAndFiles() throws {
        let desk = try Desk()
        try desk.tool.run("assert", "Gauge", "a-1", #"{"label":"hot"}"#)
        let terminal = try desk.sit()
        try terminal.type("pi\t")
        try terminal.expect("ping ")
        try terminal.type("\n")
        try terminal.expect("µs")

        try terminal.expect(desk.prompt)
        try terminal.type("get Ga\t")
        try terminal.expect("get Gauge ")
        try terminal.type("a-1\n")
        try terminal.expect("\"hot\"")

        // Two verbs begin so: both are shown.
        try terminal.expect(desk.prompt)
        try terminal.type("p\t")
        let shown = try terminal.expect("ping")
        #expect(shown.contains("patch"))
        try terminal.type("\u{3}")

        try terminal.expect("^C")
        try terminal.type("watch Gauge --on\t\n")
        try terminal.expect("--once ")
        try terminal.expect("end of the snapshot")

        let file = try TemporaryFile("a,level\nb-2,7\n")
        try terminal.type("load Gauge \(file.path.dropLast(3))\t--id a\n")
        try terminal.expect("loaded 1 of 1 record")
        try terminal.type("exit\n")
        #expect(try terminal.wait() == 0)
    }

    @Test func theArrowWalksTheHistoryThatIsKept() throws {
        let desk = try Desk()
        var terminal = try desk.sit()
        try terminal.type("kind show Gauge\n")
        try terminal.expect("\"ephemeral\"")
        try terminal.expect(desk.prompt)
        try terminal.type(" stats\n")
        try terminal.expect("writes.applied")
        try terminal.expect(desk.prompt)
        try terminal.type("ping\n")
        try terminal.expect("µs")
        try terminal.expect(desk.prompt)
        try terminal.type("\u{1B}[A\u{1B}[A\u{1B}[A\n")
        try terminal.expect("\"ephemeral\"")
        try terminal.expect(desk.prompt)
        try terminal.type("\u{4}")
        #expect(try terminal.wait() == 0)
        // Lines that begin with a space are nobody's business later.
        #expect(try desk.historyText() == "kind show Gauge\nping\nkind show Gauge\n")
        var status = stat()
        #expect(stat(desk.history, &status) == 0 && status.st_mode & 0o777 == 0o600)

        terminal = try desk.sit()
        try terminal.type("\u{1B}[A\u{1B}[A\n")
        try terminal.expect("µs")
        // Before the prompt, Ctrl-D would be the terminal's own.
        try terminal.expect(desk.prompt)
        try terminal.type("\u{4}")
        #expect(try terminal.wait() == 0)
    }

    @Test func theHistoryHasAnEnd() throws {
        let desk = try Desk()
        #expect(mkdir("\(desk.folder)/convergedb", 0o700) == 0)
        let old = (1...1200).map { "get Gauge \($0)\n" }.joined()
        let file = open(desk.history, O_WRONLY | O_CREAT, 0o644)
        #expect(write(file, old, old.utf8.count) == old.utf8.count)
        close(file)
        let terminal = try desk.sit()
        try terminal.type("ping\n")
        try terminal.expect("µs")
        try terminal.type("exit\n")
        #expect(try terminal.wait() == 0)
        let lines = try desk.historyText().split(separator: "\n")
        #expect(lines.count == 1000 && lines.first == "get Gauge 203" && lines.last == "exit")
        var status = stat()
        #expect(stat(desk.history, &status) == 0 && status.st_mode & 0o777 == 0o600)
    }

    @Test func aHistoryThatCannotBeKeptIsNoFailure() throws {
        let desk = try Desk()
        let terminal = try desk.sit(state: "/proc/nowhere")
        try terminal.type("ping\n")
        try terminal.expect("µs")
        try terminal.expect(desk.prompt)
        try terminal.type("\u{1B}[A\n")
        try terminal.expect("µs")
        try terminal.type("exit\n")
        #expect(try terminal.wait() == 0)
    }

    @Test func controlCEndsAWatchAndForgetsALine() throws {
        let desk = try Desk()
        let terminal = try desk.sit()
        for _ in 0..<2 {
            try terminal.type("watch Gauge --bootstrap\n")
            try terminal.expect("end of the snapshot --")
            try desk.tool.run("assert", "Gauge", "a", "{}")
            try terminal.expect("created")
            try desk.tool.run("retract", "Gauge", "a")
            try terminal.expect("deleted")
            try terminal.type("\u{3}")
            try terminal.expect(desk.prompt)
        }
        try terminal.type("nonsense\u{3}")
        try terminal.expect(desk.prompt)
        try terminal.type("ping\n")
        let shown = try terminal.expect("µs")
        #expect(!shown.contains("nonsense") && !shown.contains("lost"))
        try terminal.expect(desk.prompt)
        try terminal.type("\u{3}\u{3}nonsense\n")
        try terminal.expect("'nonsense' is no verb")
        try terminal.type("exit\n")
        #expect(try terminal.wait() == 0)
    }

    @Test func aServerThatWentAwayIsSaid() throws {
        let desk = try Desk()
        let terminal = try desk.sit()
        desk.tool.stop()
        #expect(try desk.tool.waitForEnd() == 0)
        try terminal.type("ping\n")
        try terminal.expect("is the server running?")
        try terminal.expect(desk.prompt)
        let again = try Process("convergedb", ["serve", "--memory", "--listen", desk.tool.address])
        #expect(try again.nextErrorLine()?.hasPrefix("ready on ") == true)
        try terminal.type("ping\n")
        try terminal.expect("was lost; connected again")
        try terminal.expect("µs")
        // Tab asks the new server.
        try terminal.type("get Ga\t\u{3}")
        #expect(try !terminal.expect(desk.prompt).contains("Gauge"))
        try terminal.type("exit\n")
        #expect(try terminal.wait() == 0)
    }
}
