import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

@testable import converge_bench

/// converge-bench when something is wrong: nothing on standard output, one sentence, and an exit code that says what kind.
@Suite struct BenchFailureTests {
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

    @Test func flagsThatAWorkloadCannotHave() throws {
        let server = try ServerProcess()
        let refused = [
            (["query", "--ping"], "--pipeline 1"),
            (["query", "--pipeline", "1", "--connections", "2"], "--connections"),
            (["mixed", "--batch", "5"], "--batch"), (["latency", "--rate", "0"], "--rate"),
            (["latency", "--subscribers", "2"], "--subscribers"), (["latency", "--entities", "100"], "--entities"),
            (["assert", "--window-ms", "7"], "window of 20 ms"), (["assert", "--keys", "pareto"], "zipf"),
            (["fanout", "--subscribers", "10000", "--entities", "1000000000"], "8 GiB"),
        ]
        for (arguments, named) in refused {
            let ended = try run(arguments + ["--server", server.address])
            #expect(ended.status == 2, "\(arguments)")
            #expect(ended.output.isEmpty && ended.errors.contains(named), "\(arguments): \(ended.errors)")
        }
    }

    @Test func aProcessThatIsNotTheServer() throws {
        let server = try ServerProcess()
        // Sleeps until somebody connects.
        let other = try ServerProcess()
        kill(other.pid, SIGSTOP)
        for (pid, word) in [("\(other.pid)", "no CPU time"), ("4194304", "no process")] {
            let ended = try run([
                "assert", "--server", server.address, "--server-pid", pid, "--operations", "100", "--entities", "100",
            ])
            #expect(ended.status == 2)
            #expect(ended.output.isEmpty && ended.errors.contains(word), "\(ended.errors)")
        }
    }

    @Test func aRunHasALimitOfTime() throws {
        let server = try ServerProcess()
        let ended = try run([
            "assert", "--server", server.address, "--rate", "1000", "--entities", "100", "--operations", "100000000",
            "--time-limit", "2",
        ])
        #expect(ended.status == 5)
        #expect(ended.output.isEmpty && ended.errors.contains("--time-limit"), "\(ended.errors)")
    }

    @Test func aSlowReaderFailsTheRun() throws {
        let codes: [(GoodbyeReason, Int32)] = [(.slowReader, 7), (.shutdown, 3)]
        for (reason, code) in codes {
            var writer = FrameWriter()
            writer.message(ServerGoodbye(reason: reason, message: "that is why"))
            let payload = Array(writer.bytes[FrameHeader.bytes...])
            let header = FrameHeader(stream: 0, opcode: .serverGoodbye, payloadBytes: payload.count)
            let failure = try BenchFailure(unasked: header, payload.span.bytes)
            #expect(failure?.code.rawValue == code)
            #expect(failure?.sentence.contains("that is why") == true)
        }
    }

    private func run(_ arguments: [String]) throws -> Ended { try Child("converge-bench", arguments).wait() }
}

extension AdminReply {
    fileprivate var hasNoWrites: Bool { String(decoding: json, as: UTF8.self).contains("\"applied\":0,") }
}
