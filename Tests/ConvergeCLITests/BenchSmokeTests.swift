import ConvergeJSON
import ConvergeTestSupport
import ConvergeWire
import Testing

/// converge-bench as a user runs it, in a tiny configuration: that it works, says what it promises, and fails when a run
/// is worth nothing. No number is judged here.
@Suite struct BenchSmokeTests {
    private static let keys = [
        "workload", "ops", "seconds", "ops_per_s", "server_cpu_us_per_op", "server_cpu_us_per_delivery",
        "client_cpu_us_per_op", "client_cpu_cores", "p50_us", "p99_us", "p999_us", "bytes_in", "bytes_out",
        "mean_send_bytes",
    ]

    @Test func assertAgainstAServerOfItsOwn() throws {
        let server = try ServerProcess()
        let ended = try run(
            "assert", "--server", server.address, "--server-pid", "\(server.pid)", "--connections", "3", "--entities",
            "500", "--row-bytes", "21", "--operations", "2000", "--json")
        #expect(ended.status == 0, "\(ended.errors)")
        for key in Self.keys { #expect(ended.output.contains("\"\(key)\":"), "no \(key) in \(ended.output)") }
        #expect(ended.output.contains("\"ops\":2000,"))
        #expect(!ended.output.contains("\"server_cpu_us_per_op\":null"))
        #expect(ended.output.contains("\"server_cpu_us_per_delivery\":null"))
    }

    @Test func batchesAndTheTable() throws {
        let server = try ServerProcess()
        let ended = try run(
            "assert", "--server", server.address, "--connections", "70", "--entities", "500", "--batch", "10",
            "--operations", "2000")
        #expect(ended.status == 0, "\(ended.errors)")
        #expect(ended.output.contains("operations"))
        #expect(!ended.output.contains("null"))
        #expect(!ended.output.contains("server CPU"), "the server's process was not given")
    }

    @Test func fanoutReachesEverySubscriber() throws {
        let server = try ServerProcess()
        let ended = try run(
            "fanout", "--server", server.address, "--server-pid", "\(server.pid)", "--subscribers", "4", "--entities",
            "200", "--rate", "0", "--operations", "5000", "--json")
        #expect(ended.status == 0, "\(ended.errors)")
        for key in Self.keys { #expect(ended.output.contains("\"\(key)\":"), "no \(key) in \(ended.output)") }
        for key in ["server_cpu_us_per_delivery", "mean_send_bytes", "deliveries"] {
            #expect(!ended.output.contains("\"\(key)\":null"))
        }
    }

    @Test func aFieldOfEachRow() throws {
        let document = try report("patch", "--connections", "2", "--batch", "7", "--keys", "zipf")
        // Whole batches.
        #expect(document["ops"]?.integer() == 2_002)
        #expect(document["keys"]?.string == "zipf")
        // 8 bytes of data behind 48 and an opcode each: less than whole rows would be.
        #expect((document["bytes_in"]?.integer() ?? .max) < 2_002 * 70)
    }

    @Test func queriesOneBehindTheOther() throws {
        let document = try report("query", "--connections", "3", "--pipeline", "16", "--row-bytes", "21")
        #expect(document["ops"]?.integer() == 2_000)
        #expect(document["bytes_out"]?.integer() == 2_000 * (12 + 28 + 21))
        #expect(document["p50_us"] == .null)
    }

    @Test func queriesOneAtATimeBesideAPingPong() throws {
        let document = try report("query", "--pipeline", "1", "--ping")
        #expect(document["ops"]?.integer() == 2_000)
        for key in ["p50_us", "p99_us", "p999_us", "ping_p50_us", "ping_p99_us", "ping_ratio"] {
            #expect((document[key]?.double ?? 0) > 0, "no \(key)")
        }
    }

    @Test(arguments: [["--readers", "3"], ["--readers", "5", "--together"]]) func bootstrapReachesEveryReader(
        _ flags: [String]
    ) throws {
        let readers = flags[1] == "3" ? 3 : 5
        let document = try report(["bootstrap"] + flags, length: [])
        #expect(document["deliveries"]?.integer() == 300 * readers)
        #expect(document["together"]?.string == (readers == 5 ? "yes" : "no"))
    }

    @Test func hotEntitiesAreMerged() throws {
        let document = try report(["hot"], length: ["--operations", "20000"], entities: [])
        let share = document["notifications_per_entity_and_window"]?.double ?? 0
        #expect(share > 0 && share <= 1)
        #expect(document["entities"]?.integer() == 100)
        // Thousands of writes were merged.
        #expect((document["deliveries"]?.integer() ?? .max) < 20_000)
    }

    @Test(arguments: ["0", "20"]) func latencyAtARate(_ window: String) throws {
        let document = try report(
            ["latency", "--rate", "1000", "--window-ms", window], length: ["--operations", "300"], window: window)
        #expect(document["ops"]?.integer() == 300)
        #expect(document["deliveries"]?.integer() == 300)
        #expect(document["window_ms"]?.integer() == Int(window))
        let p50 = document["p50_us"]?.double ?? 0
        let p99 = document["p99_us"]?.double ?? 0
        #expect(p50 > 0 && p99 >= p50)
    }

    @Test func mixedEndsWithEqualMirrors() throws {
        let document = try report("mixed", "--connections", "3", "--subscribers", "2", "--rate", "0")
        #expect(document["ops"]?.integer() == 2_000)
        #expect((document["deliveries"]?.integer() ?? 0) > 0)
        #expect(document["keys"]?.string == "zipf")
    }

    /// A run against a server of its own, with all that it must say.
    private func report(_ words: String...) throws -> JSONValue { try report(words) }

    private func report(
        _ words: [String], length: [String] = ["--operations", "2000"], entities: [String] = ["--entities", "300"],
        window: String = "20"
    ) throws -> JSONValue {
        let server = try ServerProcess("--window-ms", window)
        let ended = try run(
            words + ["--server", server.address, "--server-pid", "\(server.pid)", "--json"] + length + entities)
        #expect(ended.status == 0, "\(ended.errors)")
        for key in Self.keys { #expect(ended.output.contains("\"\(key)\":"), "no \(key) in \(ended.output)") }
        #expect(!ended.output.contains("\"server_cpu_us_per_op\":null"))
        return try JSONValue(parsing: Array(ended.output.utf8))
    }

    private func run(_ arguments: String...) throws -> Ended { try run(arguments) }

    private func run(_ arguments: [String]) throws -> Ended { try Child("converge-bench", arguments).wait() }
}
