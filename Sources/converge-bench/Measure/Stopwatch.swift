import ConvergeTransport

/// What a stretch of a run took: wall time, and CPU time of the server and of this program.
struct Stopwatch {
    struct Reading {
        let seconds: Double
        let clientCPU: Double
        /// Nil: the server's process is not known.
        let serverCPU: Double?
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

    func read() -> Reading {
        let serverNow = server?.seconds
        return Reading(
            seconds: Double(Transport.now() - start) / 1e6,
            clientCPU: (ProcessClock.own.seconds ?? 0) - clientStart,
            serverCPU: serverStart.flatMap { start in serverNow.map { $0 - start } })
    }
}
