import ConvergeJSON
import Testing

@Suite struct LoadTests {
    private static let csv = #"""
        site,number,level,label,note
        A,1,5,plain,x
        A,2,,"a, b",x

        "B ""q""",3,-7,,"two
        lines"

        """#

    @Test func csvWithQuotesAndEmptyColumns() throws {
        let tool = try Tool.withGauge()
        let ended = try tool.run("load", "Gauge", "-", "--id", "site,number", "--json", input: Self.csv)
        #expect(ended.status == 0)
        #expect(ended.errors.contains("are no fields of Gauge are ignored: 'note'\n"))
        let summary = try ended.json()
        #expect(summary["records"] == 3 && summary["applied"] == 3 && summary["refused"] == 0)
        #expect(try tool.run("get", "Gauge", "A-1", "--json").json()["fields"]?["level"] == 5)
        let second = try tool.run("get", "Gauge", "A-2", "--json").json()["fields"]
        #expect(second?["level"] == 0 && second?["label"] == "a, b")
        #expect(try tool.run("get", "Gauge", #"B "q"-3"#, "--json").json()["fields"]?["level"] == -7)
    }

    @Test func idForms() throws {
        let tool = try Tool.withGauge()
        let csv = "key,level\n4711,1\n"
        #expect(try tool.run("load", "Gauge", "-", "--id", "int:key", input: csv).status == 0)
        #expect(try tool.run("get", "Gauge", "int:4711").status == 0)
        let long = "key,level\n\(String(repeating: "k", count: 33)),1\n"
        let refused = try tool.run("load", "Gauge", "-", "--id", "key", input: long)
        #expect(refused.status == 2)
        #expect(refused.errors.contains("standard input:2:") && refused.errors.contains("--id str:key"))
        #expect(try tool.run("load", "Gauge", "-", "--id", "str:key", input: long).status == 0)
        #expect(try tool.run("get", "Gauge", "str:" + String(repeating: "k", count: 33)).status == 0)
    }

    @Test func whatExportPrintsLoads() throws {
        let tool = try Tool.withGauge()
        var lines = ""
        for number in 0..<5_000 { lines += #"{"key":\#(number),"level":\#(number % 100)}"# + "\n" }
        #expect(try tool.run("load", "Gauge", "-", "--id", "int:key", input: lines).status == 0)
        let exported = try tool.run("export", "Gauge")
        #expect(exported.status == 0)
        #expect(exported.output.split(separator: "\n").count == 5_000)

        let other = try Tool.withGauge()
        #expect(try other.run("load", "Gauge", "-", input: exported.output).status == 0)
        #expect(try other.run("export", "Gauge").output == exported.output)
        let document = try other.run("export", "Gauge", "--json").json()
        #expect(document["count"] == 5_000 && document["entities"]?.elements?.count == 5_000)
    }

    @Test func w5FieldsOfOtherOwnersAreLeftAlone() throws {
        let tool = try Tool.withGauge()
        #expect(try tool.run("--source", "7", "patch", "Gauge", "a", #"{"owned":9}"#).status == 0)
        let ended = try tool.run("load", "Gauge", "-", "--id", "key", input: "key,level,owned\na,1,2\n")
        let told = "field 'owned' is owned by source 7: not written\n"
        #expect(ended.status == 0 && ended.errors == told + "loaded 1 of 1 record into Gauge\n")
        let fields = try tool.run("get", "Gauge", "a", "--json").json()["fields"]
        #expect(fields?["level"] == 1 && fields?["owned"] == 9)
    }

    /// The input, what the sentence must contain, and how many records are loaded before it.
    static let faults: [(input: String, flags: [String], contains: [String])] = [
        (
            "a,level\n1,2\n1,99999\n", ["--id", "a"],
            [":3: ", "'level' takes an i16", "the record before it was loaded"]
        ),
        ("a,label\n1,\"nine, two\"\n", ["--id", "a"], [":2: ", "at most 8 bytes", "nothing was loaded"]),
        ("a,level\n1\n", ["--id", "a"], [":2: ", "1 column, the header 2"]),
        ("a,level\n\"1,2\n", ["--id", "a"], [":2: ", "never closed"]),
        ("a,level\n,2\n", ["--id", "a"], [":2: ", "no 'a'"]),
        ("a,a,level\n", ["--id", "a"], [":1: ", "twice"]),
        (
            "a,levle\n1,2\n", ["--id", "a"],
            [":1: ", "no column has the name of a field", "'a', 'levle'", "'open'", "rename 'levle' to 'level'?"]
        ),
        ("a, Level\n1,2\n", ["--id", "a"], ["rename ' Level' to 'level'?"]),
        ("a;level\n1;2\n", ["--id", "a"], [":1: ", "separate columns by commas"]),
        ("", ["--id", "a"], ["the input is empty", "nothing was loaded"]),
        ("a,level\nx,2\n", ["--id", "int:a"], [":2: ", "'a': an int id is"]),
        ("aa,level\n1,2\n", ["--id", "ab"], [":1: ", "did you mean 'aa'"]),
        ("a,level\n1,2\n", [], ["CSV needs --id"]),
        ("a,level\n1,2\n", ["--id", "a,,b"], ["--id takes column names"]),
        ("{\"a\":1,\"level\":}\n", ["--id", "a"], [":1: "]),
        ("{\"a\":1}\n{\"a\":2,\"levl\":1}\n", ["--id", "a"], [":2: ", "'levl'", "'level'"]),
        ("{\"level\":1}\n", ["--id", "a"], [":1: ", "no 'a'"]),
        ("{\"level\":1}\n", [], [":1: ", "without --id"]),
        ("{\"id\":\"int:x\",\"fields\":{}}\n", [], [":1: ", "int id"]),
    ]

    @Test(arguments: faults.indices) func aFaultInTheInput(_ index: Int) throws {
        let fault = Self.faults[index]
        let tool = try Tool.withGauge()
        let ended = try Process(
            "convergectl", ["--server", tool.address, "load", "Gauge", "-"] + fault.flags, input: fault.input
        ).wait()
        #expect(ended.status == 2)
        for part in fault.contains { #expect(ended.errors.contains(part), "no '\(part)' in: \(ended.errors)") }
    }
}
