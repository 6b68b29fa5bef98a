import ConvergeJSON
import Glibc
import Testing

@Suite struct WatchTests {
    /// A watch that is known to have subscribed: its snapshot has ended.
    private func watch(_ tool: Tool, _ arguments: String...) throws -> Process {
        let process = try Process(
            "convergectl", ["--server", tool.address, "watch", "Gauge", "--bootstrap", "--json"] + arguments)
        while let line = try process.nextLine() {
            if try JSONValue(parsing: Array(line.utf8))["type"] == "bootstrap_end" { return process }
        }
        Issue.record("the snapshot never ended: \(try process.wait().errors)")
        return process
    }

    @Test func changesAsTheyHappen() throws {
        let tool = try Tool.withGauge()
        let process = try watch(tool, "--previous", "--count", "3")
        try tool.run("assert", "Gauge", "a", #"{"level":1,"label":"x"}"#)
        try tool.run("patch", "Gauge", "a", #"{"level":2}"#)
        try tool.run("retract", "Gauge", "a")
        let ended = try process.wait()
        #expect(ended.status == 0 && ended.errors.isEmpty)
        let lines = try ended.jsonLines()
        try #require(lines.count == 4)

        #expect(lines[0]["type"] == "created" && lines[0]["id"] == "a" && lines[0]["version"] == 1)
        #expect(lines[0]["changed"]?.description == #"["level","label","open","owned"]"#)
        #expect(lines[0]["fields"]?["level"] == 1 && lines[0]["previous"] == nil)
        #expect(lines[1]["type"] == "updated" && lines[1]["version"] == 2)
        #expect(lines[1]["changed"]?.description == #"["level"]"#)
        #expect(lines[1]["fields"]?["level"] == 2 && lines[1]["previous"]?["level"] == 1)
        #expect(lines[1]["source_set"]?.integer(as: UInt64.self) == 1 << 63)
        #expect(lines[1]["sources"]?.description == "[63]")
        #expect(lines[2]["type"] == "deleted" && lines[2]["version"] == 3 && lines[2]["reason"] == "retract")
        #expect(lines[2]["fields"] == nil && lines[2]["previous"]?["level"] == 2)
        #expect(lines[3]["type"] == "end" && lines[3]["token"]?.string?.isEmpty == false)
    }

    @Test func onceIsTheSnapshot() throws {
        let tool = try Tool.withGauge()
        for id in ["a", "b", "c"] { try tool.run("assert", "Gauge", id, #"{"level":1}"#) }
        let ended = try tool.run("watch", "Gauge", "--once", "--json")
        #expect(ended.status == 0)
        let lines = try ended.jsonLines()
        #expect(
            lines.compactMap { $0["type"]?.string } == [
                "bootstrap_begin", "snapshot", "snapshot", "snapshot", "bootstrap_end", "end",
            ])
        #expect(lines[0]["estimate"] == 3 && lines[0]["token"] != nil)
        #expect(lines[4]["count"] == 3 && lines[4]["token"] == lines[5]["token"])
        let text = try tool.run("watch", "Gauge", "--once")
        #expect(text.output.split(separator: "\n").count == 3 && text.output.contains("snapshot  a  v1  level 1"))
    }

    @Test func anInterruptPrintsTheLastLine() throws {
        let tool = try Tool.withGauge()
        let process = try watch(tool)
        process.signal(SIGINT)
        let ended = try process.wait()
        #expect(ended.status == 130)
        #expect(try ended.jsonLines().map { $0["type"] } == ["end"])
    }

    @Test func aReaderThatGoesEndsItQuietly() throws {
        let tool = try Tool.withGauge()
        let process = try watch(tool)
        process.closeOutput()
        try tool.run("assert", "Gauge", "a", #"{"level":1}"#)
        let ended = try process.wait()
        #expect(ended.status == 0 && ended.errors.isEmpty)
    }

    @Test func theServersOrderlyEnd() throws {
        let tool = try Tool.withGauge()
        let process = try watch(tool)
        tool.stop()
        let ended = try process.wait()
        #expect(ended.status == 3 && ended.errors.contains("closed the connection"))
        #expect(try ended.jsonLines().last?["type"] == "end")
    }

    /// It is killed.
    @Test func theServersEnd() throws {
        var tool: Tool? = try Tool.withGauge()
        let process = try watch(try #require(tool))
        tool = nil
        let ended = try process.wait()
        #expect(ended.status == 3 && ended.errors.contains("the connection"))
        #expect(try ended.jsonLines().last?["type"] == "end")
    }
}
