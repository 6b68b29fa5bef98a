import ConvergeSchema

/// What every workload begins with: the server, its process, and the kind.
struct Bench: ~Copyable {
    let clock: ProcessClock?
    var control: ControlLink
    let kind: UInt16
    let row: [UInt8]

    /// - Throws: also `usage`: the server's window is not the one that was asked for.
    init(_ options: Options) throws {
        let clock = try options.serverPID.map(ProcessClock.init(pid:))
        var control = try ControlLink.connected(options)
        let definition = BenchKind.definition(rowBytes: options.rowBytes, durability: options.durability)
        let kind = try control.create(definition)
        let row = try BenchKind.row(of: definition)
        let window = try control.statistics().windowMilliseconds
        try options.refuse(
            "--window-ms", unless: options.windowMilliseconds.map { $0 == window } ?? true,
            "is not the server's window of \(window) ms: start the server with the one that is wanted")
        self.clock = clock
        self.control = control
        self.kind = kind
        self.row = row
    }

    /// Every entity, with the values of `SequentialKeys`; durable and told to whoever subscribes.
    func load(_ options: Options) throws {
        var options = options
        options.connections = 1
        var writers = try Writers.connected(options, .asserts, kind: kind, row: row)
        try writers.load(options)
        _ = try writers.sync()
    }
}

extension Writers {
    /// Every entity once.
    mutating func load(_ options: Options) throws {
        var sequence = SequentialKeys(seed: options.seed)
        var loading = ProgressBar("loading", .operations(options.entities))
        try write(&sequence, .operations(options.entities), rate: 0) { operations, seconds in
            loading.update(operations: operations, seconds: seconds)
        }
    }
}
