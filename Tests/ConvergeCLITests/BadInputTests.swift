import ConvergeJSON
import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

/// Each bad input gets a sentence and the right exit code, and the server goes on.
@Suite struct BadInputTests {
    /// The words, the exit code, and what the sentence must contain.
    static let lines: [(words: [String], status: Int32, contains: [String])] = [
        (["pign"], 2, ["'pign' is no verb", "did you mean 'ping'"]),
        (["kind", "aply", "x"], 2, ["'aply' is no verb of 'kind'", "kind apply"]),
        (["kinds"], 2, ["did you mean 'kind list'"]),
        (["delete", "Gauge", "a"], 2, ["did you mean 'retract'"]),
        (["kind"], 2, ["needs a second word"]),
        (["get", "Gauge"], 2, ["ID is missing", "usage: convergectl get KIND ID"]),
        (["get", "Gauge", "a", "b"], 2, ["'b' is one word too many"]),
        (["watch", "Gauge", "--cuont", "1"], 2, ["'--cuont'", "did you mean --count"]),
        (["get", "Gauge", "a", "--count", "1"], 2, ["--count is no flag of 'get'"]),
        (["watch", "Gauge", "--count"], 2, ["--count needs a value"]),
        (["watch", "Gauge", "--count", "0"], 2, ["--count takes a whole number above 0"]),
        (["ping", "--json=yes"], 2, ["--json takes no value"]),
        (["ping", "--json", "--json"], 2, ["--json is given twice"]),
        (["ping", "--server", "here:99999"], 2, ["--server takes HOST:PORT"]),
        (["ping", "--source", "64"], 2, ["--source takes a number from 0 to 63"]),
        (["ping", "--timeout", "soon"], 2, ["--timeout takes seconds"]),
        (["ping", "--liveness", "5"], 2, ["--liveness is not in this version"]),
        (["ping", "--token-file", "/nonexistent/token"], 2, ["cannot read /nonexistent/token"]),
        (["kind", "apply", "/nonexistent.json"], 2, ["cannot read /nonexistent.json"]),
        (["kind", "apply", "/tmp"], 2, ["cannot read /tmp"]),
        (["kind", "show", "Gouge"], 6, ["Gouge"]),
        (["assert", "Gouge", "a", "{}"], 6, ["Gouge"]),
        (["watch", "Gouge"], 6, ["Gouge"]),
        (["export", "Gouge"], 6, ["Gouge"]),
        (["get", "Gauge", "int:18446744073709551616"], 2, ["does not fit"]),
        (["get", "Gauge", "int:-1"], 2, ["not negative"]),
        (["get", "Gauge", "hex:00"], 2, ["64 hexadecimal digits"]),
        (["get", "Gauge", "uuid:1"], 2, ["uuid"]),
        (["get", "Gauge", ""], 2, ["empty"]),
        (["get", "Gauge", "a text of more than thirty-two bytes"], 2, ["str:"]),
        (["assert", "Gauge", "a", #"{"open":7}"#], 2, ["'open' takes a bool"]),
        (["assert", "Gauge", "a", #"{"level":32768}"#], 2, ["'level' takes an i16", "32768 does not fit"]),
        (["assert", "Gauge", "a", #"{"label":"nine bytes"}"#], 2, ["'label' takes a string of at most 8 bytes"]),
        (["assert", "Gauge", "a", #"{"levl":1}"#], 2, ["'levl'", "'level'"]),
        (["assert", "Gauge", "a", #"{"level":"#], 2, []),
        (["assert", "Gauge", "a", "7"], 2, ["JSON object"]),
        (["assert", "Gauge", "a", "{level:1}"], 2, ["put the JSON in single quotes"]),
        (["assert", "Gauge", "a", "{level:", "1}"], 2, ["put the JSON in single quotes"]),
        (["get", "gauge", "a"], 6, ["did you mean 'Gauge'?"]),
        (["retract", "Gauge", "a"], 6, ["Gauge a does not exist"]),
        (["patch", "Gauge", "a", #"{"owned":1}"#], 1, ["owned"]),
        (["patch", "Gauge", "a", #"{"owned":1}"#, "--json"], 1, ["owned"]),
    ]

    @Test func commandLines() throws {
        let tool = try Tool.withGauge()
        for line in Self.lines {
            let server = line.words.contains("--server") ? [] : ["--server", tool.address]
            let ended = try Process("convergectl", server + line.words).wait()
            #expect(ended.status == line.status, "\(line.words): \(ended.errors)")
            for part in line.contains { #expect(ended.errors.contains(part), "\(line.words): \(ended.errors)") }
            #expect(ended.errors.hasPrefix("convergectl: ") && ended.errors.utf8.filter { $0 == 10 }.count == 1)
        }
        #expect(try tool.run("ping").status == 0)
    }

    @Test func aRefusedWriteIsInTheDocument() throws {
        let tool = try Tool.withGauge()
        let ended = try tool.run("patch", "Gauge", "a", #"{"owned":1}"#, "--json")
        #expect(ended.status == 1)
        let document = try ended.json()
        #expect(document["applied"] == 0 && document["refused"] == 1)
        #expect(document["refusals"]?.elements?.first?["code"] == "not_owner")
        #expect(document["refusals"]?.elements?.first?["id"] == "a")
    }

    /// Kind files: the text, the exit code, and what the sentence must contain.
    static let kindFiles: [(text: String, status: Int32, contains: [String])] = [
        ("{ \"name\": \"K\",\n  \"fields\": [\n    { \"name\": \"a\", \"type\": \"u33\" } ] }", 2, [":3: ", "u33"]),
        ("{ \"name\": \"K\",\n  \"fields\": [\n    { \"name\": \"a\" \"type\": \"u32\" } ] }", 2, [":3: "]),
        ("{ \"name\": \"K\", \"fields\": [] }", 2, [":1: "]),
        ("{ \"name\": \"K\", \"fields\": [ \(fields(65)) ] }", 2, ["64"]),
        ("{ \"name\": \"convergedb_x\", \"fields\": [ \(fields(1)) ] }", 1, ["convergedb_"]),
        (
            "{ \"name\": \"K\", \"fields\": [ { \"name\": \"a\", \"type\": \"string\", \"max\": 70000 } ] }", 2,
            ["65,535"]
        ),
        (Tool.gauge.replacing("i16", with: "u16"), 1, ["level"]),
        ("", 2, [":1: "]),
    ]

    private static func fields(_ count: Int) -> String {
        (0..<count).map { "{ \"name\": \"f\($0)\", \"type\": \"u8\" }" }.joined(separator: ", ")
    }

    @Test(arguments: kindFiles.indices) func aKindFile(_ index: Int) throws {
        let example = Self.kindFiles[index]
        let tool = try Tool.withGauge()
        let file = try TemporaryFile(example.text)
        let ended = try tool.run("kind", "apply", file.path)
        #expect(ended.status == example.status, "\(ended.errors)")
        if example.status == 2 { #expect(ended.errors.contains(file.path + ":")) }
        for part in example.contains { #expect(ended.errors.contains(part), "no '\(part)' in: \(ended.errors)") }
        #expect(try tool.run("ping").status == 0)
    }

    @Test func nobodyListens() throws {
        let ended = try Process("convergectl", ["ping", "--server", "127.0.0.1:1"]).wait()
        #expect(ended.status == 3 && ended.errors.contains("is the server running?"))
    }

    @Test func aHeldSourceIsRefused() throws {
        let tool = try Tool.withGauge()
        let listener = try Listener()
        // A load that waits for its input holds the source.
        let holder = try Process(
            "convergectl", ["--server", tool.address, "--source", "9", "load", "Gauge", listener.fifo, "--id", "a"])
        try listener.openFIFO()
        try listener.write("a,level\n1,1\n")
        var refused = try tool.run("--source", "9", "assert", "Gauge", "a", "{}")
        while refused.status == 0 { refused = try tool.run("--source", "9", "assert", "Gauge", "a", "{}") }
        #expect(refused.status == 1 && refused.errors.contains("9"))
        listener.closeFIFO()
        #expect(try holder.wait().status == 0)
    }

    @Test func aServerThatNeverAnswers() throws {
        let listener = try Listener()
        let ended = try Process("convergectl", ["ping", "--timeout", "0.2", "--server", "127.0.0.1:\(listener.port)"])
            .wait()
        #expect(ended.status == 5, "\(ended.errors)")
    }

    @Test func aServerThatIsNone() throws {
        let listener = try Listener()
        let ended = try listener.answering(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)) { address in
            try Process("convergectl", ["ping", "--server", address])
        }
        #expect(ended.status == 3 && ended.errors.contains("not a ConvergeDB server"))
    }

    @Test func aServerThatDoesNotAllowIt() throws {
        let listener = try Listener()
        let refusal = ErrorMessage(code: .notAllowed, opcode: 1, fatal: true, message: "your token is not known here")
        let token = try TemporaryFile("secret\n")
        let ended = try listener.answering(Frames.message(refusal)) { address in
            try Process("convergectl", ["ping", "--token-file", token.path, "--server", address])
        }
        #expect(ended.status == 4 && ended.errors == "convergectl: your token is not known here\n")
        #expect(listener.received.count(of: Array("secret".utf8)) == 1)
    }

    /// convergedb's own: one sentence and an exit code.
    @Test func aPortInUse() throws {
        let tool = try Tool()
        let ended = try Process("convergedb", ["serve", "--memory", "--listen", tool.address]).wait()
        #expect(ended.status != 0 && ended.errors.contains("in use"))
        #expect(ended.errors.utf8.filter { $0 == 10 }.count == 1)
        let wrong = try Process("convergedb", ["serve", "--memory", "--window-ms", "soon"]).wait()
        #expect(wrong.status == 2 && wrong.errors.contains("--window-ms"))
    }
}
