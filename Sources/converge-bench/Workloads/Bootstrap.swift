extension Workload {
    /// Snapshots: what it costs to tell a new reader everything.
    static var bootstrap: Workload {
        Workload(
            name: "bootstrap", summary: "readers that subscribe to what is there, one after another or --together",
            defaults: Options(), run: runBootstrap)
    }
}

/// An operation is one entity told to one reader.
private func runBootstrap(_ options: Options) throws -> Report {
    var bench = try Bench(options)
    // What readers are told is kept in memory that is there before the first of them comes.
    var loop = try ReaderLoop(
        options, kind: bench.kind, subscribers: options.isTogether ? options.readers : 1, .bootstrap)
    try bench.load(options)
    let latest = try bench.control.versions(kind: bench.kind, count: options.entities)

    let before = try bench.control.statistics()
    var reading = Stopwatch.Reading(seconds: 0, clientCPU: 0, serverCPU: bench.clock == nil ? nil : 0)
    let rounds = options.isTogether ? 1 : options.readers
    var progress = ProgressBar("bootstrap", .operations(rounds))
    for round in 0..<rounds {
        let stopwatch = Stopwatch(server: bench.clock)
        try loop.bootstrap(options.isTogether ? 0..<options.readers : 0..<1)
        reading = reading + (try stopwatch.read())
        try loop.requireComplete(latest)
        loop.forget()
        progress.update(operations: round + 1, seconds: 0)
        guard reading.seconds < options.timeLimit else {
            throw BenchFailure(
                .timedOut, "not done after \(Int(options.timeLimit)) s: give fewer --readers or a higher --time-limit")
        }
    }
    let after = try bench.control.statistics()
    let counts = loop.counts
    let told = options.entities * options.readers
    guard counts.notifications == told else {
        throw BenchFailure(
            .checkFailed, "readers were told \(counts.notifications) states, not \(told): is somebody else writing?")
    }
    var shown = options
    shown.subscribers = options.readers
    var report = Measurement(
        operations: told, deliveries: told, reading: reading, bytesIn: counts.bytesOut, bytesOut: counts.bytesIn,
        keys: "in turn",
        before: before, after: after
    ).report("bootstrap", shown)
    report.add("readers", "readers", options.readers)
    report.add("together", "at once", options.isTogether ? "yes" : "no")
    return report
}
