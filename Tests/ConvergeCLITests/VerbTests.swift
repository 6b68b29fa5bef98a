import ConvergeJSON
import Testing

/// Every verb against a real server: what it prints and returns.
@Suite struct VerbTests {
    @Test func ping() throws {
        let tool = try Tool()
        let text = try tool.run("ping")
        #expect(text.status == 0 && text.output.contains(tool.address) && text.errors.isEmpty)
        let json = try tool.run("ping", "--json").json()
        #expect(json["address"]?.string == tool.address)
        #expect(json["round_trip_us"]?.integer(as: Int.self) != nil)
    }

    @Test func kinds() throws {
        let tool = try Tool()
        #expect(try tool.run("kind", "list").output.isEmpty)
        let file = try TemporaryFile(Tool.gauge)
        #expect(try tool.run("kind", "apply", file.path).output == "Gauge (kind 1): created\n")
        #expect(try tool.run("kind", "apply", file.path).output == "Gauge (kind 1): unchanged\n")
        let applied = try tool.run("kind", "apply", "--json", file.path).json()
        #expect(applied["kind"] == 1 && applied["name"] == "Gauge" && applied["result"] == "unchanged")

        let list = try tool.run("kind", "list")
        #expect(list.status == 0 && list.output.contains("Gauge") && list.output.contains("ephemeral"))
        let kinds = try tool.run("kind", "list", "--json").json()["kinds"]?.elements
        #expect(kinds?.count == 1 && kinds?.first?["fields"]?.elements?.count == 4)

        // What `show` prints is a kind file of the same kind.
        let shown = try tool.run("kind", "show", "Gauge")
        #expect(try tool.run("kind", "apply", "-", input: shown.output).output == "Gauge (kind 1): unchanged\n")
        #expect(try tool.run("kind", "show", "Gauge", "--json").json()["kind"] == 1)
        #expect(try tool.run("kind", "show", "Gouge").status == 6)
    }

    @Test func writesAndGet() throws {
        let tool = try Tool.withGauge()
        let asserted = try tool.run("assert", "Gauge", "a-1", #"{"level":-3,"label":"hot","open":true}"#)
        #expect(asserted.status == 0 && asserted.output.isEmpty && asserted.errors == "asserted Gauge a-1\n")
        let text = try tool.run("get", "Gauge", "a-1")
        #expect(text.output.contains("version 1, sources 63") && text.output.contains("\"hot\""))

        let patched = try tool.run("patch", "Gauge", "a-1", #"{"level":4}"#, "--json").json()
        #expect(patched["applied"] == 1 && patched["refused"] == 0 && patched["id"] == "a-1")
        #expect(patched["token"]?.string?.isEmpty == false)
        let json = try tool.run("get", "Gauge", "text:a-1", "--json").json()
        #expect(json["state"] == "alive" && json["version"] == 2)
        #expect(json["source_set"]?.integer(as: UInt64.self) == 1 << 63)
        #expect(json["sources"]?.description == "[63]")
        #expect(json["fields"]?.description == #"{"level":4,"label":"hot","open":true,"owned":0}"#)

        // Another source keeps it alive when the first one retracts.
        #expect(try tool.run("--source", "5", "patch", "Gauge", "a-1", "{}").status == 0)
        #expect(try tool.run("retract", "Gauge", "a-1").status == 0)
        #expect(try tool.run("get", "Gauge", "a-1", "--json").json()["source_set"] == 32)
        #expect(try tool.run("retract", "Gauge", "a-1", "--source=5", "--json").status == 0)
        let gone = try tool.run("get", "Gauge", "a-1", "--json")
        #expect(gone.status == 6)
        #expect(try gone.json()["state"] == "tombstone")
        #expect(try tool.run("get", "Gauge", "a-1").errors.contains("was deleted"))
        let never = try tool.run("get", "Gauge", "a-2", "--json")
        #expect(never.status == 6)
        #expect(try never.json()["state"] == "not_found")
    }

    @Test func aRetractThatRetractsNothingSaysSo() throws {
        let tool = try Tool.withGauge()
        try tool.run("--source", "0", "assert", "Gauge", "int:42", "{}")
        let others = try tool.run("retract", "Gauge", "int:42")
        #expect(others.status == 1)
        #expect(
            others.errors
                == "convergectl: Gauge int:42 is asserted by source 0, and this was source 63: use --source 0 to "
                + "retract as that source\n")
        let own = try tool.run("--source", "0", "retract", "Gauge", "int:42")
        #expect(own.status == 0 && own.errors == "retracted Gauge int:42\n")
        let again = try tool.run("--source", "0", "retract", "Gauge", "int:42")
        #expect(again.status == 6 && again.errors.contains("Gauge int:42 was deleted; its last version is 2"))
    }

    @Test func w5FieldsOfOthersAreNamed() throws {
        let tool = try Tool.withGauge()
        let told = "field 'owned' is owned by source 7: not written\n"
        let asserted = try tool.run("assert", "Gauge", "a", #"{"level":1,"owned":2}"#)
        #expect(asserted.status == 0 && asserted.errors == told + "asserted Gauge a\n")
        let loaded = try tool.run("load", "Gauge", "-", "--id", "n", input: "n,owned\na,1\nb,2\n")
        #expect(loaded.status == 0 && loaded.errors == told + "loaded 2 of 2 records into Gauge\n")
        let owner = try tool.run("--source", "7", "assert", "Gauge", "a", #"{"owned":2}"#)
        #expect(owner.errors == "asserted Gauge a\n")
    }

    @Test func idForms() throws {
        let tool = try Tool.withGauge()
        let forms = [
            "int:42", "uuid:123e4567-e89b-12d3-a456-426614174000", "str:a text of more than thirty-two bytes, hashed",
            "hex:" + String(repeating: "0f", count: 32), "text:int:1", "plain",
        ]
        for form in forms {
            #expect(try tool.run("assert", "Gauge", form, "{}").status == 0)
            #expect(try tool.run("get", "Gauge", form).status == 0)
        }
        // An id is shown in a form that names it again.
        let lines = try tool.run("export", "Gauge").jsonLines()
        #expect(lines.count == forms.count)
        for line in lines { #expect(try tool.run("get", "Gauge", line["id"]?.string ?? "").status == 0) }
        let shown = Set(lines.compactMap { $0["id"]?.string })
        #expect(shown.isSuperset(of: ["plain", "text:int:1", "*"]))
    }

    @Test func stats() throws {
        let tool = try Tool.withGauge()
        try tool.run("assert", "Gauge", "a", "{}")
        let text = try tool.run("stats")
        #expect(text.status == 0 && text.output.contains("writes.applied"))
        #expect(try tool.run("stats", "--json").json()["writes"]?["applied"] == 1)
    }

    @Test func usageTexts() throws {
        let tool = try Tool()
        let help = try tool.run("--help")
        #expect(help.status == 0 && help.errors.isEmpty)
        for verb in [
            "ping", "kind apply", "kind list", "kind show", "assert", "patch", "retract", "get", "watch", "load",
            "export",
            "stats",
        ] {
            #expect(help.output.contains("\n  \(verb) "), "--help does not list \(verb)")
            let words = verb.split(separator: " ").map(String.init)
            let own = try Process("convergectl", words + ["--help"]).wait()
            #expect(own.status == 0 && own.output.contains("usage: convergectl \(verb)"))
        }
        #expect(try tool.run("help").output == help.output)
        #expect(try tool.run("help", "get").output == tool.run("get", "--help").output)
        let kind = try tool.run("kind", "--help")
        #expect(kind.status == 0 && kind.output.contains("usage: convergectl kind show KIND"))
        #expect(try tool.run("--version").output.hasPrefix("convergectl "))
        let none = try tool.run()
        #expect(none.status == 2 && none.output.isEmpty && none.errors.contains("usage:"))
    }

    @Test func theServerFromTheEnvironment() throws {
        let tool = try Tool()
        let environment = ["CONVERGEDB_SERVER=\(tool.address)"]
        #expect(try Process("convergectl", ["ping"], environment: environment).wait().status == 0)
        let overridden = try Process("convergectl", ["ping", "--server", "127.0.0.1:1"], environment: environment)
            .wait()
        #expect(overridden.status == 3)
    }
}
