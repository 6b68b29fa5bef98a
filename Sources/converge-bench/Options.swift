import ConvergeSchema
import ConvergeWire
import Glibc

/// What a run was asked to do. Every workload takes what concerns it; the report names what it used.
struct Options {
    /// How long the measured part lasts.
    enum Length {
        case seconds(Double)
        case operations(Int)
    }

    var host = "127.0.0.1"
    var port = WireLimits.defaultPort
    /// Of the server, on this machine: whose CPU time is measured.
    var serverPID: pid_t?
    var json = false
    /// Connections that write.
    var connections = 16
    var entities = 1_000_000
    var rowBytes = 64
    var subscribers = 100
    /// Operations a second, all connections together; 0: as fast as possible.
    var rate = 0
    var length = Length.seconds(10)
    var durability = Durability.ephemeral
    var keys = KeyDistribution.uniform
    /// Writes in one BATCH frame; 0: every write is a frame of its own.
    var batch = 0
    /// `buffer` of SUBSCRIBE, in notifications.
    var buffer = 262_144
    var seed: UInt64 = 1
    /// Queries under way on a connection; 1: one at a time, each timed.
    var pipeline = 64
    /// Measure a bare TCP ping-pong beside the queries.
    var isPinging = false
    /// Subscribers that bootstrap.
    var readers = 4
    /// All readers at once, not one after another.
    var isTogether = false
    /// What the server's window must be; nil: whatever it is.
    var windowMilliseconds: Int?
    /// Seconds after which loading or measuring fails.
    var timeLimit = 600.0
    /// The flags that stood on the command line.
    var given: Set<String> = []

    /// - Throws: `usage`, with the flag's name and the problem.
    func refuse(_ flag: String, unless isFine: Bool, _ problem: String) throws {
        if !isFine { throw BenchFailure(.usage, "\(flag) \(problem)") }
    }
}
