import ConvergeJSON
import Testing

/// A kind with every type, from its file to rows and back.
@Suite struct TypesTests {
    private static let kind = """
        { "name": "Ship", "durability": "ephemeral",
          "fields": [
            { "name": "mmsi", "type": "u128" },
            { "name": "heading", "type": "i16" },
            { "name": "speed", "type": "f32" },
            { "name": "moored", "type": "bool" },
            { "name": "flag", "type": "string", "max": 4 },
            { "name": "key", "type": "bytes", "max": 3 },
            { "name": "note", "type": "varstring", "max": 4000 },
            { "name": "blob", "type": "varbytes", "max": 16 },
            { "name": "position", "type": "struct", "fields": [{ "name": "lat", "type": "f64" }, { "name": "port", "type": "string", "max": 6 }] },
            { "name": "alerts", "type": "array", "max": 4, "element": { "type": "u32" } },
            { "name": "tags", "type": "array", "max": 4, "element": { "type": "string", "max": 6 } },
            { "name": "route", "type": "array", "max": 3, "element": { "type": "struct", "fields": [{ "name": "port", "type": "string", "max": 6 }, { "name": "eta", "type": "u64" }] } }
          ] }

        """

    private static let full =
        #"{"mmsi":340282366920938463463374607431768211455,"heading":-7,"speed":0.1,"moored":true,"flag":"DE","#
        + #""key":"hex:00ff","note":"said \"hallo\", ünd went","blob":"hex:010203","#
        + #""position":{"lat":54.5,"port":"Kiel"},"alerts":[1,2,4294967295],"tags":["fast","","a,b"],"#
        + #""route":[{"port":"Oslo","eta":18446744073709551615},{"port":"","eta":0}]}"#

    private static let empty =
        #"{"mmsi":0,"heading":0,"speed":0.0,"moored":false,"flag":"","key":"hex:","note":"","blob":"hex:","#
        + #""position":{"lat":0.0,"port":""},"alerts":[],"tags":[],"route":[]}"#

    private func tool() throws -> Tool {
        let tool = try Tool()
        let applied = try tool.run("kind", "apply", "-", input: Self.kind)
        #expect(applied.status == 0, "\(applied.errors)")
        return tool
    }

    private func fields(_ tool: Tool, _ id: String) throws -> String? {
        try tool.run("get", "Ship", id, "--json").json()["fields"]?.description
    }

    @Test func whatShowPrintsIsTheKind() throws {
        let tool = try tool()
        let shown = try tool.run("kind", "show", "Ship").output
        #expect(
            try JSONValue(parsing: Array(shown.utf8))["fields"] == JSONValue(parsing: Array(Self.kind.utf8))["fields"])
        #expect(try tool.run("kind", "apply", "-", input: shown).output == "Ship (kind 1): unchanged\n")
        #expect(try tool.run("kind", "show", "Ship", "--json").json()["fields"]?.elements?.count == 12)
        #expect(try tool.run("kind", "list").output.contains("ephemeral"))
    }

    @Test func whatIsAssertedIsWhatIsThere() throws {
        let tool = try tool()
        #expect(try tool.run("assert", "Ship", "a", Self.full).status == 0)
        #expect(try tool.run("assert", "Ship", "b", "{}").status == 0)
        #expect(try fields(tool, "a") == Self.full)
        #expect(try fields(tool, "b") == Self.empty)
        #expect(
            try tool.run("get", "Ship", "a").output.contains(#"route     [{"port":"Oslo","eta":18446744073709551615}"#))

        #expect(
            try tool.run("patch", "Ship", "a", #"{"position":{"port":"Genua"},"alerts":[],"note":"x"}"#).status == 0)
        let patched = Self.full
            .replacing(#"{"lat":54.5,"port":"Kiel"}"#, with: #"{"lat":0.0,"port":"Genua"}"#)
            .replacing("[1,2,4294967295]", with: "[]").replacing(#""said \"hallo\", ünd went""#, with: #""x""#)
        #expect(try fields(tool, "a") == patched)
    }

    @Test func watchShowsWhatChanged() throws {
        let tool = try tool()
        #expect(try tool.run("assert", "Ship", "a", Self.full).status == 0)
        let watch = try tool.start("watch", "Ship", "--bootstrap", "--previous", "--count", "2", "--json")
        var line = try watch.nextLine()
        while let text = line, !text.contains(#""type":"snapshot""#) { line = try watch.nextLine() }
        let snapshot = try JSONValue(parsing: Array((line ?? "").utf8))
        #expect(snapshot["fields"]?.description == Self.full)
        while let text = line, !text.contains("bootstrap_end") { line = try watch.nextLine() }
        #expect(try tool.run("patch", "Ship", "a", #"{"tags":["slow"],"heading":-7}"#).status == 0)
        let update = try JSONValue(parsing: Array((try watch.nextLine() ?? "").utf8))
        #expect(update["type"] == "updated" && update["changed"] == ["tags"])
        #expect(update["fields"]?["tags"] == ["slow"])
        #expect(update["previous"]?.description == Self.full)
        #expect(try watch.wait().status == 0)
    }

    @Test func whatExportPrintsLoads() throws {
        let tool = try tool()
        #expect(try tool.run("assert", "Ship", "a", Self.full).status == 0)
        #expect(try tool.run("assert", "Ship", "b", "{}").status == 0)
        let exported = try tool.run("export", "Ship").output
        #expect(exported.split(separator: "\n").count == 2 && exported.contains(Self.full))
        let other = try self.tool()
        #expect(try other.run("load", "Ship", "-", input: exported).status == 0)
        #expect(try fields(other, "a") == Self.full)
        #expect(try fields(other, "b") == Self.empty)
    }

    @Test func columnsOfCSVHoldTheJSONOfArraysAndStructs() throws {
        let tool = try tool()
        let csv = #"""
            id,note,blob,position,alerts,tags,route
            a,"plain, text",hex:0a,"{""lat"":1.5}","[1,2]","[""x"",""y""]","[{""port"":""Oslo""}]"
            b,,,,[],,

            """#
        let loaded = try tool.run("load", "Ship", "-", "--id", "id", input: csv)
        #expect(loaded.status == 0, "\(loaded.errors)")
        let a = try tool.run("get", "Ship", "a", "--json").json()["fields"]
        #expect(a?["note"] == "plain, text" && a?["blob"] == "hex:0a" && a?["alerts"] == [1, 2])
        #expect(a?["position"]?.description == #"{"lat":1.5,"port":""}"#)
        #expect(a?["tags"] == ["x", "y"] && a?["route"]?.description == #"[{"port":"Oslo","eta":0}]"#)
        #expect(try fields(tool, "b") == Self.empty)

        let refused = try tool.run("load", "Ship", "-", "--id", "id", input: "id,alerts\na,\"[1,-1]\"\n")
        #expect(refused.status == 2)
        #expect(
            refused.errors.contains("standard input:2: field 'alerts[1]' takes a u32 (0…4294967295); -1 does not fit"))
    }

    @Test func mistakesAreNamedByTheirPath() throws {
        let tool = try tool()
        let cases = [
            (#"{"position":{"prt":"x"}}"#, "field 'position' has no member 'prt'; did you mean 'port'?"),
            (
                #"{"alerts":[1,2,3,4,5]}"#,
                "field 'alerts' takes an array of u32, at most 4 elements; the value given has 5"
            ),
            (#"{"route":[{"eta":-1}]}"#, "field 'route[0].eta' takes a u64 (0…18446744073709551615); -1 does not fit"),
            (#"{"tags":"x"}"#, "field 'tags' takes an array of string, at most 4 elements, not a string"),
        ]
        for (json, sentence) in cases {
            for verb in ["assert", "patch"] {
                let ended = try tool.run(verb, "Ship", "a", json)
                #expect(ended.status == 2)
                #expect(ended.errors == "convergectl: \(sentence)\n")
            }
        }
        let changed = Self.kind.replacing(#""name": "eta", "type": "u64""#, with: #""name": "eta", "type": "u32""#)
        let conflict = try tool.run("kind", "apply", "-", input: changed)
        #expect(conflict.status != 0)
        #expect(conflict.errors.contains("field 'route[].eta' differs: type u64 -> u32"))
    }
}
