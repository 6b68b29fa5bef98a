/// One kind of load. A workload is a file in `Workloads` and a row of this table.
struct Workload {
    let name: String
    let summary: String
    /// Options as they are when no flag says otherwise.
    let defaults: Options
    let run: (Options) throws -> Report

    static var all: [Workload] { [.assert, .patch, .query, .fanout, .bootstrap, .hot, .latency, .mixed] }

    static func named(_ name: String?) throws -> Workload {
        let names = all.map(\.name).joined(separator: ", ")
        guard let name else { throw BenchFailure(.usage, "a workload is missing: give one of \(names)") }
        guard let workload = all.first(where: { $0.name == name }) else {
            throw BenchFailure(.usage, "'\(name)' is no workload of this version: it has \(names)")
        }
        return workload
    }
}
