extension Workload {
    /// Writers alone: what receiving, decoding, merging and installing cost.
    static var assert: Workload {
        Workload(
            name: "assert", summary: "ASSERT of random entities from many connections, nobody subscribed",
            defaults: Options(), run: runAssert)
    }
}

private func runAssert(_ options: Options) throws -> Report {
    let clock = try options.serverPID.map(ProcessClock.init(pid:))
    var control = try ControlLink.connected(options)
    let definition = BenchKind.definition(rowBytes: options.rowBytes, durability: options.durability)
    let kind = try control.create(definition)
    var writers = try Writers.connected(options, kind: kind, row: BenchKind.row(of: definition))

    // Not measured: every entity is there, and a tenth more has gone the way that is measured.
    var keys = UniformKeys(entities: options.entities, seed: options.seed)
    try writers.warmUp(&keys, options)
    let applied = try writers.sync()

    let before = try control.statistics()
    let traffic = writers.statistics
    let stopwatch = Stopwatch(server: clock)
    var progress = ProgressBar("assert", options.length)
    try writers.write(&keys, options.length, rate: options.rate) { operations, seconds in
        progress.update(operations: operations, seconds: seconds)
    }
    let operations = try writers.sync() - applied
    let reading = stopwatch.read()
    let after = try control.statistics()
    return Measurement(
        operations: operations, reading: reading, bytesIn: writers.statistics.bytesOut - traffic.bytesOut,
        bytesOut: writers.statistics.bytesIn - traffic.bytesIn, before: before, after: after
    ).report("assert", options)
}

extension Writers {
    /// Every entity once, then a tenth as many writes with the keys of the run.
    mutating func warmUp(_ keys: inout UniformKeys, _ options: Options) throws {
        var sequence = SequentialKeys(seed: options.seed)
        var loading = ProgressBar("loading", .operations(options.entities))
        try write(&sequence, .operations(options.entities), rate: 0) { operations, seconds in
            loading.update(operations: operations, seconds: seconds)
        }
        try write(&keys, .operations(max(1_000, options.entities / 10)), rate: options.rate) { _, _ in }
    }
}
