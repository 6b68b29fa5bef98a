/// The workloads whose measured part is writing: alone, or with subscribers that are told of it and checked at the end.
struct WriteRun {
    let name: String
    let form: WriteForm
    let isTold: Bool

    /// What was measured, and the subscribers' part of it.
    func measure(_ options: Options) throws -> (measurement: Measurement, told: ReaderCounts) {
        try options.refuse(
            "--batch", unless: options.batch == 0 || form != .mixed, "is not for \(name): a query has no batch")
        var bench = try Bench(options)
        var writers = try Writers.connected(options, form, kind: bench.kind, row: bench.row)
        let subscribers = isTold ? try Subscribers(options, kind: bench.kind) : nil

        // Not measured: every entity changes once, so that every subscriber has been told a version of each, and a tenth
        // more goes the way that is measured.
        var keys = RunKeys(options)
        try writers.load(options)
        writers.use(form, kind: bench.kind, row: bench.row)
        try writers.write(&keys, .operations(max(1_000, options.entities / 10)), rate: options.rate) { _, _ in }
        let applied = try writers.sync()
        let told = try subscribers?.counts() ?? ReaderCounts()

        let before = try bench.control.statistics()
        let traffic = writers.statistics
        let stopwatch = Stopwatch(server: bench.clock)
        var progress = ProgressBar(name, options.length)
        try writers.write(&keys, options.length, rate: options.rate) { operations, seconds in
            progress.update(operations: operations, seconds: seconds)
            try subscribers?.check()
        }
        let operations = try writers.sync() - applied
        let arrived = try subscribers?.counts() ?? ReaderCounts()
        let reading = try stopwatch.read()
        let after = try bench.control.statistics()

        if let subscribers {
            try subscribers.requireComplete(bench.control.versions(kind: bench.kind, count: options.entities))
            guard arrived.backward == 0, arrived.repeated == 0, arrived.skipped == 0, arrived.foreign == 0
            else {
                throw BenchFailure(
                    .checkFailed,
                    "subscribers got \(arrived.backward) states older than the one before, \(arrived.repeated) twice, "
                        + "\(arrived.skipped) without the one before, and \(arrived.foreign) of entities that are not of this "
                        + "run: is somebody else writing?")
            }
        }
        let delta = arrived - told
        let measurement = Measurement(
            operations: operations, deliveries: isTold ? delta.notifications : nil, reading: reading,
            bytesIn: writers.statistics.bytesOut - traffic.bytesOut + delta.bytesOut,
            bytesOut: writers.statistics.bytesIn - traffic.bytesIn + delta.bytesIn, before: before, after: after)
        return (measurement, delta)
    }
}

extension Workload {
    init(_ run: WriteRun, _ summary: String, _ defaults: Options) {
        self.init(name: run.name, summary: summary, defaults: defaults) { options in
            try run.measure(options).measurement.report(run.name, options)
        }
    }
}
