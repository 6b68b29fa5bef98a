extension Workload {
    /// Reads of single entities: as many as go, or one at a time with what each takes.
    static var query: Workload {
        Workload(
            name: "query", summary: "QUERY of entities that are there, every answer checked; --pipeline 1 for latency",
            defaults: Options(), run: runQuery)
    }
}

private func runQuery(_ options: Options) throws -> Report {
    if options.pipeline == 1 { return try runOneByOne(options) }
    try options.refuse("--ping", unless: !options.isPinging, "takes --pipeline 1: it is compared with single queries")
    var bench = try Bench(options)
    try bench.load(options)
    var keys = RunKeys(options)
    var queries = try QueryPipeline.connected(options, kind: bench.kind)
    try queries.run(&keys, .operations(max(1_000, options.entities / 10)))

    let before = try bench.control.statistics()
    let traffic = queries.statistics
    let answers = queries.answers
    let stopwatch = Stopwatch(server: bench.clock)
    try queries.run(&keys, options.length)
    let reading = try stopwatch.read()
    let after = try bench.control.statistics()
    var report = Measurement(
        operations: queries.answers - answers, reading: reading,
        bytesIn: queries.statistics.bytesOut - traffic.bytesOut, bytesOut: queries.statistics.bytesIn - traffic.bytesIn,
        before: before, after: after
    ).report("query", options)
    report.add("pipeline", "queries under way on a connection", options.pipeline)
    return report
}

private func runOneByOne(_ options: Options) throws -> Report {
    var options = options
    try options.refuse(
        "--connections", unless: !options.given.contains("--connections") || options.connections == 1,
        "is 1 with --pipeline 1: one query at a time")
    options.connections = 1
    var bench = try Bench(options)
    try bench.load(options)
    var keys = RunKeys(options)
    var queries = try OneByOne(options, kind: bench.kind)
    try queries.warmUp(&keys)

    let before = try bench.control.statistics()
    try queries.run(&keys, bench.clock)
    let after = try bench.control.statistics()
    guard let reading = queries.reading else { throw BenchFailure(.usage, "nothing was measured: give a longer run") }
    let count = Int(queries.queries.count)
    let check = QueryCheck(options)
    var report = Measurement(
        operations: count, reading: reading, bytesIn: count * check.requestBytes, bytesOut: count * check.replyBytes,
        latency: queries.queries, before: before, after: after
    ).report("query", options)
    report.add("pipeline", "queries under way on a connection", 1)
    report.add("ping_p50_us", "bare TCP ping-pong p50 us", queries.pings.microseconds(0.5), digits: 1)
    report.add("ping_p99_us", "bare TCP ping-pong p99 us", queries.pings.microseconds(0.99), digits: 1)
    report.add(
        "ping_ratio", "p50 over ping-pong p50",
        queries.pings.quantile(0.5).flatMap { ping in queries.queries.quantile(0.5).map { $0 / ping } }, digits: 3)
    return report
}
