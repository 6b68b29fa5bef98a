extension Workload {
    /// Writers alone: what receiving, decoding, merging and installing cost.
    static var assert: Workload {
        Workload(
            WriteRun(name: "assert", form: .asserts, isTold: false),
            "ASSERT of entities from many connections, nobody subscribed", Options())
    }

    /// The same with eight bytes of each row.
    static var patch: Workload {
        Workload(
            WriteRun(name: "patch", form: .patches, isTold: false),
            "PATCH of one field of 8 bytes from many connections, nobody subscribed", Options())
    }
}
