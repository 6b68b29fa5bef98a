extension Workload {
    /// Few writers, many readers: what a notification costs from its encoding to the socket.
    static var fanout: Workload {
        var defaults = Options()
        defaults.connections = 1
        defaults.entities = 10_000
        defaults.rate = 200_000
        return Workload(
            name: "fanout", summary: "writes of which many subscribers are told; fails if one of them misses a row",
            defaults: defaults, run: runFanout)
    }
}

private func runFanout(_ options: Options) throws -> Report {
    let clock = try options.serverPID.map(ProcessClock.init(pid:))
    var control = try ControlLink.connected(options)
    let definition = BenchKind.definition(rowBytes: options.rowBytes, durability: options.durability)
    let kind = try control.create(definition)
    var writers = try Writers.connected(options, kind: kind, row: BenchKind.row(of: definition))
    let subscribers = try Subscribers(options, kind: kind)

    // Not measured: every entity changes once, so that every subscriber has been told a version of each.
    var keys = UniformKeys(entities: options.entities, seed: options.seed)
    try writers.warmUp(&keys, options)
    let applied = try writers.sync()
    let told = try subscribers.counts()

    let before = try control.statistics()
    let traffic = writers.statistics
    let stopwatch = Stopwatch(server: clock)
    var progress = ProgressBar("fanout", options.length)
    try writers.write(&keys, options.length, rate: options.rate) { operations, seconds in
        progress.update(operations: operations, seconds: seconds)
        try subscribers.check()
    }
    let operations = try writers.sync() - applied
    let arrived = try subscribers.counts()
    let reading = stopwatch.read()
    let after = try control.statistics()

    try subscribers.requireComplete(control.versions(kind: kind, count: options.entities))
    guard arrived.backward == 0 else {
        throw BenchFailure(.checkFailed, "subscribers got \(arrived.backward) states older than the one before")
    }
    return Measurement(
        operations: operations, deliveries: arrived.notifications - told.notifications, reading: reading,
        bytesIn: writers.statistics.bytesOut - traffic.bytesOut + arrived.bytesOut - told.bytesOut,
        bytesOut: writers.statistics.bytesIn - traffic.bytesIn + arrived.bytesIn - told.bytesIn, before: before,
        after: after
    ).report("fanout", options)
}
