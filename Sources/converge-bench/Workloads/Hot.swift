extension Workload {
    /// Few entities as fast as it goes: what merging costs, and that it merges.
    static var hot: Workload {
        var defaults = Options()
        defaults.entities = KeyDistribution.hotEntities
        defaults.subscribers = 1
        return Workload(
            name: "hot", summary: "100 entities at full speed; fails if one is told of twice in a window",
            defaults: defaults,
            run: runHot)
    }
}

private func runHot(_ options: Options) throws -> Report {
    let run = WriteRun(name: "hot", form: .asserts, isTold: true)
    let (measurement, told) = try run.measure(options)
    // That no entity is told of twice in a window would show in the versions too: they rise by one with each flush, and a
    // repeated one has failed the run. This is the count.
    let windows = measurement.after.flushes - measurement.before.flushes
    let share = Double(told.notifications) / Double(max(1, windows * options.entities * options.subscribers))
    guard share <= 1 else {
        throw BenchFailure(
            .checkFailed,
            "\(told.notifications) notifications in \(windows) windows: more than one an entity and window")
    }
    var report = measurement.report("hot", options)
    report.add("notifications_per_entity_and_window", "notifications per entity and window", share, digits: 4)
    return report
}
