/// What was measured of a run, and the report on it.
struct Measurement {
    var operations = 0
    /// Notifications that subscribers received; nil: the workload has none.
    var deliveries: Int?
    var reading: Stopwatch.Reading
    /// Bytes that the server received and sent, as this program's connections counted them.
    var bytesIn = 0
    var bytesOut = 0
    /// Latency; nil where the workload has none.
    var latency: Histogram?
    /// How entities were chosen, where that is not the options' choice.
    var keys: String?
    var before: ServerStatistics
    var after: ServerStatistics

    func report(_ workload: String, _ options: Options) -> Report {
        let seconds = reading.seconds
        let each = 1e6 / Double(max(1, operations))
        let sends = after.sends - before.sends
        let receives = after.receives - before.receives
        var report = Report()
        report.add("workload", "workload", workload)
        report.add("ops", "operations", operations)
        report.add("seconds", "seconds", seconds, digits: 3)
        report.add("ops_per_s", "operations a second", Int(Double(operations) / seconds))
        report.add("server_cpu_us_per_op", "server CPU us an operation", reading.serverCPU.map { $0 * each }, digits: 4)
        report.add(
            "server_cpu_us_per_delivery", "server CPU us a delivery",
            reading.serverCPU.flatMap { cpu in deliveries.map { cpu * 1e6 / Double(max(1, $0)) } }, digits: 4)
        report.add("client_cpu_us_per_op", "client CPU us an operation", reading.clientCPU * each, digits: 4)
        report.add("client_cpu_cores", "client CPU cores used", reading.clientCPU / seconds, digits: 2)
        report.add("server_cpu_cores", "server CPU cores used", reading.serverCPU.map { $0 / seconds }, digits: 2)
        report.add("p50_us", "latency p50 us", latency?.microseconds(0.5), digits: 1)
        report.add("p99_us", "latency p99 us", latency?.microseconds(0.99), digits: 1)
        report.add("p999_us", "latency p99.9 us", latency?.microseconds(0.999), digits: 1)
        report.add("max_us", "latency most us", latency?.microseconds(1), digits: 1)
        report.add("bytes_in", "bytes to the server", bytesIn)
        report.add("bytes_out", "bytes from the server", bytesOut)
        report.add("mean_receive_bytes", "bytes a receive", receives > 0 ? bytesIn / receives : nil)
        report.add(
            "mean_send_bytes", "bytes a send",
            deliveries != nil && sends > 0 ? (after.bytesSent - before.bytesSent) / sends : nil)
        report.add("deliveries", "deliveries", deliveries)
        report.add(
            "deliveries_per_s", "deliveries a second", deliveries.map { Int(Double($0) / seconds) })
        report.add("flushes", "flushes", after.flushes - before.flushes)
        report.add("changed_rows", "rows that flushes changed", after.changes - before.changes)
        report.add(
            "moved_to_catch_up", "readers moved to catch-up",
            deliveries.map { _ in after.movedToCatchUp - before.movedToCatchUp })
        report.add("window_ms", "window ms", after.windowMilliseconds)
        report.add("server", "server", "\(options.host):\(options.port)")
        report.add("net", "server's sockets", after.backend)
        report.add("connections", "connections that write", options.connections)
        report.add("subscribers", "subscribers", deliveries.map { _ in options.subscribers })
        report.add("buffer", "buffer of a subscriber", deliveries.map { _ in options.buffer })
        report.add("entities", "entities", options.entities)
        report.add("row_bytes", "bytes of a row's fields", options.rowBytes)
        report.add("batch", "writes in a BATCH, 0: none", options.batch)
        report.add("rate", "rate, 0: as fast as possible", options.rate)
        report.add("durability", "durability", "\(options.durability)")
        report.add("keys", "keys", keys ?? options.keys.rawValue)
        report.add("seed", "seed", Int(truncatingIfNeeded: options.seed))
        return report
    }
}
