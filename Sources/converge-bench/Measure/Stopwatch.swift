import ConvergeTransport

/// What a stretch of a run took: wall time, and CPU time of the server and of this program.
struct Stopwatch {
    struct Reading {
        let seconds: Double
        let clientCPU: Double
        /// Nil: the server's process is not known.
        let serverCPU: Double?

        /// Both stretches together.
        static func + (first: Reading, second: Reading) -> Reading {
            Reading(
                seconds: first.seconds + second.seconds, clientCPU: first.clientCPU + second.clientCPU,
                serverCPU: first.serverCPU.flatMap { cpu in second.serverCPU.map { cpu + $0 } })
        }
    }

    private let server: ProcessClock?
    private let start: Int64
    private let clientStart: Double
    private let serverStart: Double?

    /// Starts to measure.
    init(server: ProcessClock?) {
        self.server = server
        start = Transport.now()
        clientStart = ProcessClock.own.seconds ?? 0
        serverStart = server?.seconds
    }

    /// - Throws: `usage`: the process that was given has ended, or did nothing.
    func read() throws -> Reading {
        let serverNow = server?.seconds
        if let serverStart {
            guard let serverNow, serverNow > serverStart else {
                throw BenchFailure(
                    .usage,
                    "the process given with --server-pid used no CPU time during the run: it is not the server's")
            }
        }
        return Reading(
            seconds: Double(Transport.now() - start) / 1e6,
            clientCPU: (ProcessClock.own.seconds ?? 0) - clientStart,
            serverCPU: serverStart.flatMap { start in serverNow.map { $0 - start } })
    }
}
