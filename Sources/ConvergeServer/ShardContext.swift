import ConvergeEngine
import ConvergeLanes
import ConvergeTransport
import Synchronization

/// What all shards know and none changes, but for three words: the stop, the number of connections, and how far the shutdown is.
final class ShardContext: Sendable {
    let configuration: ServerConfiguration
    let shards: Int
    let lineage = UInt64.random(in: 1...UInt64.max)
    /// Of the hash that divides entities among partitions.
    let routerSeed = UInt64.random(in: 0...UInt64.max)
    let stop = StopFlag()
    let startedAt = Transport.now()
    /// Of all shards: the kernel does not spread them evenly.
    let connections = Atomic<Int>(0)
    private let forwarded = Atomic<Int>(0)
    private let flushed = Atomic<Int>(0)
    private let failure = Mutex<ServerError?>(nil)
    /// From shard to shard: `[from * shards + to]`; nil for those to themselves.
    let requests: [Lane?]
    let answers: [Lane?]
    let wakers: [Waker]

    init(_ configuration: ServerConfiguration, wakers: [Waker]) throws(ServerError) {
        self.configuration = configuration
        self.wakers = wakers
        shards = wakers.count
        requests = try ShardContext.lanes(
            shards, entryBytes: MemoryLayout<Operation>.stride, bytes: ServerLimits.laneBytes)
        answers = try ShardContext.lanes(shards, entryBytes: MemoryLayout<Answer>.stride, bytes: 0)
    }

    private static func lanes(_ shards: Int, entryBytes: Int, bytes: Int) throws(ServerError) -> [Lane?] {
        var lanes: [Lane?] = []
        for place in 0..<shards * shards {
            guard place / shards != place % shards else {
                lanes.append(nil)
                continue
            }
            guard let lane = Lane(entryBytes: entryBytes, entries: ServerLimits.laneEntries, bytes: bytes) else {
                throw ServerError(
                    "there is no memory for the lanes between \(shards) shards: start with fewer --shards")
            }
            lanes.append(lane)
        }
        return lanes
    }

    /// Ends all shards; the server ends with the first failure.
    func fail(_ error: ServerError) {
        failure.withLock { if $0 == nil { $0 = error } }
        stopAll()
    }

    var failed: ServerError? { failure.withLock { $0 } }

    func stopAll() {
        stop.raise()
        for waker in wakers { waker.wake() }
    }

    // ---------------------------------------------------------------------------------------------------- shutdown

    enum Round { case forwarded, flushed }

    func arrive(_ round: Round) {
        switch round {
        case .forwarded: forwarded.add(1, ordering: .acquiringAndReleasing)
        case .flushed: flushed.add(1, ordering: .acquiringAndReleasing)
        }
    }

    func haveAllArrived(_ round: Round) -> Bool {
        switch round {
        case .forwarded: forwarded.load(ordering: .acquiring) >= shards
        case .flushed: flushed.load(ordering: .acquiring) >= shards
        }
    }
}
