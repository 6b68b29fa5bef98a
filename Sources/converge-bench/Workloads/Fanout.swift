extension Workload {
    /// Few writers, many readers: what a notification costs from its encoding to the socket.
    static var fanout: Workload {
        var defaults = Options()
        defaults.connections = 1
        defaults.entities = 10_000
        defaults.rate = 200_000
        return Workload(
            WriteRun(name: "fanout", form: .asserts, isTold: true),
            "writes of which many subscribers are told; fails if one of them misses a row", defaults)
    }

    /// Everything at once, and deletions among it.
    static var mixed: Workload {
        var defaults = Options()
        defaults.entities = 100_000
        defaults.rate = 200_000
        defaults.subscribers = 4
        defaults.keys = .zipf
        return Workload(
            WriteRun(name: "mixed", form: .mixed, isTold: true),
            "80 % ASSERT, 10 % PATCH, 5 % QUERY, 5 % RETRACT, with subscribers; fails as fanout does", defaults)
    }
}
