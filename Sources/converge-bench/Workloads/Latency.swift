import ConvergeWire
import Glibc

extension Workload {
    /// From the moment a write is due to the moment a subscriber has been told.
    static var latency: Workload {
        var defaults = Options()
        defaults.connections = 1
        defaults.entities = 10_000
        defaults.subscribers = 1
        defaults.rate = 10_000
        return Workload(
            name: "latency", summary: "write to notification at a fixed rate, measured from when each write was due",
            defaults: defaults, run: runLatency)
    }
}

private func runLatency(_ options: Options) throws -> Report {
    try options.refuse("--rate", unless: options.rate > 0, "must be above 0: latency is measured at a rate")
    try options.refuse("--connections", unless: options.connections == 1, "is 1: one connection writes at the rate")
    try options.refuse("--subscribers", unless: options.subscribers == 1, "is 1: one subscriber is timed")
    try options.refuse("--batch", unless: options.batch == 0, "is not for latency: a write goes out when it is due")
    var bench = try Bench(options)
    let window = try bench.control.statistics().windowMilliseconds
    // Entities take turns. Two writes of one within a window would be one notification.
    let writesInWindow = options.rate * (window + 100) / 1_000
    try options.refuse(
        "--entities", unless: options.entities > writesInWindow,
        "must be above \(writesInWindow): else one is written again before its notification is out")
    try bench.load(options)

    let reader = try LatencyReader(options, kind: bench.kind)
    let thread = try Thread { reader.run() }
    defer {
        reader.end()
        thread.join()
    }
    var writer = try PacedWriter(options, kind: bench.kind, row: bench.row)
    try writer.write(seconds: 0.5, reader)
    try writer.awaitTold(reader)

    let before = try bench.control.statistics()
    let received = reader.counts
    let written = writer.written
    writer.forgetLateness()
    reader.measure(from: nanosecondsNow())
    let stopwatch = Stopwatch(server: bench.clock)
    try writer.write(options.length, reader)
    try writer.awaitTold(reader)
    let reading = try stopwatch.read()
    let after = try bench.control.statistics()
    let arrived = reader.counts
    reader.end()
    thread.join()

    let operations = writer.written - written
    var report = Measurement(
        operations: operations, deliveries: arrived.notifications - received.notifications, reading: reading,
        bytesIn: operations * writer.frameBytes, bytesOut: arrived.bytes - received.bytes, latency: reader.histogram,
        keys: "in turn",
        before: before, after: after
    ).report("latency", options)
    report.add("send_late_p99_us", "sent after it was due p99 us", writer.lateness.microseconds(0.99), digits: 1)
    return report
}
