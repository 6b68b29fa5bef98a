import ConvergeJSON
import Testing

/// `convergectl shell` fed from a pipe.
@Suite struct ShellScriptTests {
    @Test func everyVerbOverOneConnection() throws {
        let tool = try Tool.withGauge()
        let kind = try TemporaryFile(Tool.gauge)
        let rows = try TemporaryFile("a,level\nc-3,3\n")
        let ended = try tool.run(
            "shell",
            input: """
                # Gauges
                ping
                kind apply \(kind.path)
                kind list
                kind show Gauge

                assert Gauge a-1 '{"level":1,"label":"it''s"}'
                convergectl patch Gauge "a-1" "{\\"open\\":true}"
                get Gauge text:a\\-1
                assert Gauge 'b 2' {\\"level\\":2}
                retract Gauge b\\ 2   # gone
                load Gauge \(rows.path) --id a
                watch Gauge --once
                watch Gauge --bootstrap --count 1
                export Gauge
                stats
                help get
                exit
                nonsense
                """)
        #expect(ended.status == 0, "\(ended.errors)")
        for part in ["Gauge (kind 1): unchanged", "version 2", "\"its\"", "snapshot  c-3", "usage: convergectl get"] {
            #expect(ended.output.contains(part), "no \(part) in: \(ended.output)")
        }
        #expect(ended.errors.contains("retracted Gauge b 2") && ended.errors.contains("loaded 1 of 1 record"))
        // The connection of the fixture's `kind apply`, and one for all of these.
        let stats = try tool.run("stats", "--json").json()
        #expect(stats["net"]?["accepted"]?.integer(as: Int.self) == 3, "\(stats)")
    }

    @Test func theFirstFailureEndsIt() throws {
        let tool = try Tool.withGauge()
        let script = "get Gauge a\nassert Gauge a '{\"levl\":1}'\nping\n"
        let ended = try tool.run("shell", input: script)
        #expect(ended.status == 6 && ended.output.isEmpty)
        #expect(ended.errors == "convergectl: line 1: Gauge a does not exist\n")
        let all = try tool.run("shell", "--keep-going", input: script)
        #expect(all.status == 6 && all.output.contains("µs"))
        #expect(all.errors.contains("convergectl: line 2: kind 'Gauge' has no field 'levl'; did you mean 'level'?"))
    }

    @Test func flagsOfTheShellHoldForEveryLine() throws {
        let tool = try Tool.withGauge()
        let ended = try tool.run(
            "--json", "--source", "7", "shell",
            input: """
                assert Gauge a '{"owned":1}'
                --source 8 assert Gauge a '{"level":2}'
                get Gauge a
                """)
        #expect(ended.status == 0, "\(ended.errors)")
        let lines = try ended.jsonLines()
        #expect(lines.count == 3 && lines[2]["sources"]?.description == "[7,8]")
        #expect(lines[2]["fields"]?["owned"] == 1)
    }

    /// Ordinals of refused writes are those of the command, not of the connection.
    @Test func refusalsAreNumberedByCommand() throws {
        let tool = try Tool.withGauge()
        let ended = try tool.run(
            "shell", "--keep-going", "--json",
            input: """
                assert Gauge a '{"level":1}'
                patch Gauge a '{"owned":1}'
                patch Gauge a '{"owned":1}'
                assert Gauge a '{"level":2}'
                """)
        #expect(ended.status == 1)
        let lines = try ended.jsonLines()
        #expect(lines.map { $0["applied"] } == [1, 0, 0, 1] && lines.map { $0["refused"] } == [0, 1, 1, 0])
        for line in lines[1...2] { #expect(line["refusals"]?.elements?.first?["write"] == 1) }
    }

    /// The line, the exit code, and what the sentence must contain.
    @Test(arguments: [
        ("assert Gauge a '{", Int32(2), "the quote ' is never closed"),
        ("assert Gauge a \"{", 2, "the quote \" is never closed"),
        ("get Gauge a\\", 2, "ends with a backslash"),
        ("export Gauge > file", 2, "'>' means nothing here"),
        ("load Gauge - --id a", 2, "name a file"),
        ("shell", 2, "this is the shell already"),
        ("--json", 2, "a verb is missing"),
        ("exti", 2, "did you mean 'exit'"),
        ("get Gauge '>'", 6, "Gauge > does not exist"),
        ("get Gauge \"a\\n\"", 6, "Gauge a\\n does not exist"),
    ]) func aLineThatIsWrong(_ line: String, _ status: Int32, _ sentence: String) throws {
        let tool = try Tool.withGauge()
        let ended = try tool.run("shell", input: line)
        #expect(ended.status == status && ended.errors.hasPrefix("convergectl: line 1: "))
        #expect(ended.errors.contains(sentence), "\(ended.errors)")
    }

    @Test func aServerThatIsNotThere() throws {
        let ended = try Process("convergectl", ["--server", "127.0.0.1:1", "shell"], input: "ping\n").wait()
        #expect(ended.status == 3 && ended.errors.contains("is the server running?"))
    }
}
