import ConvergeTestSupport
import Testing

/// What somebody gets wrong who has read README.md and nothing else: each mistake has one sentence, which says what to
/// change, and an exit code.
@Suite struct NewcomerMistakesTests {
    struct Mistake: CustomTestStringConvertible, Sendable {
        let what: String
        let words: [String]
        var input: String?
        let status: Int32
        let says: [String]
        var testDescription: String { what }

        init(_ what: String, _ words: [String], input: String? = nil, _ status: Int32, _ says: String...) {
            (self.what, self.words, self.input, self.status, self.says) = (what, words, input, status, says)
        }
    }

    /// Against a server that knows the kind `Gauge`.
    static let mistakes = [
        Mistake(
            "no server there", ["--server", "127.0.0.1:1", "ping"], 3, "nothing listens", "is the server running?"),
        Mistake("a host that is none", ["--server", "no.invalid:1", "ping"], 3, "does not resolve", "spelling"),
        Mistake("a URL for an address", ["--server", "http://127.0.0.1:1", "ping"], 2, "takes HOST:PORT and no URL"),
        Mistake("a port that is none", ["--server", "127.0.0.1:", "ping"], 2, "a port from 1 to 65535"),
        Mistake("a flag of other programs", ["ping", "--port", "3727"], 2, "say --server HOST:PORT"),
        Mistake("one dash", ["-server", "127.0.0.1:1", "ping"], 2, "flags begin with two dashes, '--server'"),
        Mistake("a flag mistyped", ["watch", "Gauge", "--bootstap"], 2, "did you mean --bootstrap?"),
        Mistake("a flag of another verb", ["get", "Gauge", "a", "--once"], 2, "no flag of 'get'"),
        Mistake("a source beyond the last", ["--source", "64", "ping"], 2, "a number from 0 to 63"),
        Mistake("a verb mistyped", ["wach", "Gauge"], 2, "did you mean 'watch'?"),
        Mistake("a verb of other databases", ["insert", "Gauge", "a", "{}"], 2, "did you mean 'assert'?"),
        Mistake("a kind mistyped", ["get", "Guage", "a"], 6, "did you mean 'Gauge'?"),
        Mistake("a kind in another case", ["watch", "gauge"], 6, "did you mean 'Gauge'?"),
        Mistake("a field mistyped", ["assert", "Gauge", "a", #"{"levle":1}"#], 2, "did you mean 'level'?"),
        Mistake("a number for a bool", ["assert", "Gauge", "a", #"{"open":1}"#], 2, "'open' takes a bool"),
        Mistake("a string too long", ["assert", "Gauge", "a", #"{"label":"far too long"}"#], 2, "at most 8 bytes"),
        Mistake("a number too large", ["patch", "Gauge", "a", #"{"level":40000}"#], 2, "40000 does not fit"),
        Mistake(
            "quotes eaten by the shell", ["assert", "Gauge", "a", "{level:1}"], 2, "put the JSON in single quotes"),
        Mistake(
            "braces eaten by the shell", ["assert", "Gauge", "a", "level:1", "open:true"], 2,
            "put the JSON in single quotes"),
        Mistake("no id", ["get", "Gauge"], 2, "ID is missing", "convergectl get KIND ID"),
        Mistake("an id too long", ["get", "Gauge", String(repeating: "x", count: 33)], 2, "str:"),
        Mistake("half a uuid", ["get", "Gauge", "uuid:123e4567"], 2, "32 hexadecimal digits"),
        Mistake("hex that is too short", ["get", "Gauge", "hex:00ff"], 2, "64 hexadecimal digits"),
        Mistake("nobody of that name", ["get", "Gauge", "nobody"], 6, "Gauge nobody does not exist"),
        Mistake(
            "a comma at the end", ["kind", "apply", "-"], input: #"{"name":"K","fields":[{"name":"a","type":"u8"},]}"#,
            2, "standard input:1:", "no comma may stand before ']'"),
        Mistake(
            "a type of other databases", ["kind", "apply", "-"],
            input: #"{"name":"K","fields":[{"name":"a","type":"int"}]}"#, 2, "'int' is not known; did you mean"),
        Mistake(
            "a kind changed", ["kind", "apply", "-"],
            input: #"{"name":"Gauge","durability":"ephemeral","fields":[{"name":"level","type":"i32"}]}"#, 1,
            "another shape", "'level'"),
        Mistake("a file that is none", ["kind", "apply", "gauge.json"], 2, "cannot read gauge.json"),
        Mistake("kind and file exchanged", ["load", "/dev/null", "Gauge", "--id", "a"], 2, "the kind comes first"),
        Mistake(
            "an id column that is none", ["load", "Gauge", "-", "--id", "nme"], input: "name,level\na,1\n", 2,
            "standard input:1:", "did you mean 'name'?"),
        Mistake("no id column", ["load", "Gauge", "-"], input: "name,level\na,1\n", 2, "CSV needs --id COLUMN"),
        Mistake(
            "a column mistyped", ["load", "Gauge", "-", "--id", "name"], input: "name,levl,open\na,1,true\n", 0,
            "are ignored: 'levl' (did you mean 'level'?)"),
        Mistake("an empty file", ["load", "Gauge", "-", "--id", "name"], input: "", 2, "the input is empty"),
        Mistake(
            "semicolons", ["load", "Gauge", "-", "--id", "name"], input: "name;level\na;1\n", 2,
            "separate columns by commas"),
        Mistake(
            "a JSON array", ["load", "Gauge", "-", "--id", "name"], input: "[{\"name\":\"a\"}]\n", 2,
            "the input is a JSON array", "one a line"),
    ]

    @Test func sentencesAndExitCodes() throws {
        let tool = try Tool.withGauge()
        for mistake in Self.mistakes {
            let server = mistake.words.contains("--server") ? [] : ["--server", tool.address]
            let ended = try Process("convergectl", server + mistake.words, input: mistake.input).wait()
            #expect(ended.status == mistake.status, "\(mistake.what): \(ended.errors)")
            for part in mistake.says { #expect(ended.errors.contains(part), "\(mistake.what): \(ended.errors)") }
            guard mistake.status != 0 else { continue }
            #expect(ended.errors.hasPrefix("convergectl: "), "\(mistake.what): \(ended.errors)")
            #expect(ended.errors.utf8.count { $0 == 0x0A } == 1, "\(mistake.what): \(ended.errors)")
        }
    }

    /// A server that knows nothing yet.
    @Test func noKindsAtAll() throws {
        let tool = try Tool()
        let ended = try tool.run("get", "Gauge", "a")
        #expect(ended.status == 6 && ended.errors.contains("kind apply FILE"), "\(ended.errors)")
    }

    @Test func aSourceThatIsTaken() throws {
        let tool = try Tool.withGauge()
        let holder = try RawClient(port: try #require(tool.address.split(separator: ":").last.flatMap { UInt16($0) }))
        try holder.connect(source: 5)
        let ended = try tool.run("assert", "Gauge", "a", "{}", "--source", "5")
        #expect(ended.status == 1, "\(ended.errors)")
        #expect(ended.errors.contains("source 5 is held by another program: give another --source"), "\(ended.errors)")
    }

    static let serverMistakes = [
        Mistake("no port", ["serve", "--memory", "--listen", "127.0.0.1"], 2, "--listen takes HOST:PORT"),
        Mistake("no --memory", ["serve"], 2, "start it with --memory"),
        Mistake("a command mistyped", ["srve", "--memory"], 2, "the command is 'serve'"),
        Mistake("a flag mistyped", ["serve", "--memroy"], 2, "'--memroy'"),
    ]

    @Test func sentencesOfTheServer() throws {
        let tool = try Tool()
        let inUse = Mistake(
            "a port in use", ["serve", "--memory", "--listen", tool.address], 1, "stop the other server")
        for mistake in Self.serverMistakes + [inUse] {
            let ended = try Process("convergedb", mistake.words).wait()
            #expect(ended.status == mistake.status, "\(mistake.what): \(ended.errors)")
            for part in mistake.says { #expect(ended.errors.contains(part), "\(mistake.what): \(ended.errors)") }
            #expect(ended.errors.utf8.count { $0 == 0x0A } == 1, "\(mistake.what): \(ended.errors)")
        }
    }

    /// A web server at the other end.
    @Test func aWebServerIsNone() throws {
        let listener = try Listener()
        let ended = try listener.answering(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)) { address in
            try Process("convergectl", ["ping", "--server", address])
        }
        #expect(ended.status == 3 && ended.errors.contains("is not a ConvergeDB server"))
        #expect(ended.errors.contains("this is HTTP"))
        #expect(ended.errors.utf8.count { $0 == 0x0A } == 1)
    }

    /// A browser at the server's port: it is answered in its own language, and the server goes on.
    @Test func aBrowserIsToldSo() throws {
        let tool = try Tool()
        let answer = try Listener.exchange(Array("GET / HTTP/1.1\r\nHost: here\r\n\r\n".utf8), with: tool.address)
        let text = String(decoding: answer, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts.count == 2 && parts[1].hasPrefix("this is HTTP, which ConvergeDB does not speak"))
        #expect(parts[0].contains("Content-Length: \(parts.last?.utf8.count ?? 0)"))
        #expect(try tool.run("ping").status == 0)
    }

    /// Every page of help fits a terminal of 80 columns.
    @Test func helpFits() throws {
        var pages = [try Process("convergectl", ["--help"]).wait()]
        let verbs = ["ping", "kind", "assert", "patch", "retract", "get", "watch", "load", "export", "stats", "shell"]
        for verb in verbs { pages.append(try Process("convergectl", ["help", verb]).wait()) }
        for page in pages {
            #expect(page.status == 0)
            for line in page.output.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
        }
    }
}
