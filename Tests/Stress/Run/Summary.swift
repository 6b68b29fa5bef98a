import ConvergeJSON
import Glibc

/// What has happened so far.
struct Counts {
    var writes = 0
    var badWrites = 0
    var batches = 0
    var syncs = 0
    var queries = 0
    var notifications = 0
    var subscribes = 0
    var bootstraps = 0
    var fences = 0
    var convergences = 0
    var sourceConnections = 0
    var sourceDrops = 0
    var sourceGoodbyes = 0
    var takeovers = 0
    var claimsRefused = 0
    var subscriberConnections = 0
    var subscriberDrops = 0
    var subscriberGoodbyes = 0
    var pauses = 0
    var slowReaders = 0
    /// Of them: who neither paused nor is slow by nature.
    var slowReadersUnawares = 0
    /// Sent away as well, but so far behind that the word of it was dropped.
    var slowReadersCut = 0
    var connectionsPeak = 0
    var shutdownGoodbyes = 0

    /// One line of progress: what a second has brought.
    func line(since before: Counts, second: Int) -> String {
        "\(second) s: \(writes - before.writes) writes, \(queries - before.queries) queries, \(syncs - before.syncs) syncs, "
            + "\(notifications - before.notifications) notifications, \(subscribes - before.subscribes) subscriptions, "
            + "\(sourceConnections + subscriberConnections - before.sourceConnections - before.subscriberConnections) connections, "
            + "\(slowReaders - before.slowReaders) slow readers, \(convergences) convergences"
    }
}

/// The end of a run that has found nothing.
struct Summary: CustomStringConvertible {
    let description: String

    init(_ world: World, _ statistics: JSONValue) {
        let counts = world.counts
        func number(_ path: String...) -> Int {
            var value: JSONValue? = statistics
            for key in path { value = value?[key] }
            return value?.integer() ?? 0
        }
        let options = world.options
        var own = rusage()
        getrusage(RUSAGE_SELF.rawValue, &own)
        let cpu = [own.ru_utime, own.ru_stime].reduce(0.0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
        description = """
            all equal after \(options.seconds) s, seed \(options.seed), \(statistics["net"]?["backend"]?.string ?? "?"), \
            \(options.partitions) partitions, window \(world.server.windowMilliseconds) ms
              writes          \(counts.writes) in \(counts.batches) batches and frames of their own, \(counts.badWrites) bad ones refused
              asked           \(counts.syncs) syncs, \(counts.queries) queries, \(counts.fences) notifications held against a SYNCED
              notifications   \(counts.notifications), \(counts.bootstraps) bootstraps of \(counts.subscribes) subscriptions
              sources         \(counts.sourceConnections) connections: \(counts.sourceDrops) dropped, \(counts.sourceGoodbyes) said \
            goodbye, \(counts.takeovers) taken over, \(counts.claimsRefused) came too early
              subscribers     \(counts.subscriberConnections) connections: \(counts.subscriberDrops) dropped, \
            \(counts.subscriberGoodbyes) said goodbye, \(counts.slowReaders) sent away as slow (\(counts.slowReadersUnawares) unawares), \
            \(counts.slowReadersCut) without a word \
            after \(counts.pauses) pauses
              compared        \(counts.convergences) times: model, queries, every mirror, a fresh bootstrap
              server          \(number("flushes", "changed")) flushes, \(number("subscriptions", "moved_to_catch_up")) readers moved to \
            catch-up, \(number("subscriptions", "caught_up")) caught up
              peaks           \(counts.connectionsPeak) connections, \(number("pending", "bytes_peak")) B pending, \
            \(number("segments", "bytes_peak")) B of segments, \(number("replies", "bytes_peak")) B of replies, \
            \(number("subscriptions", "catch_up_bytes_peak")) B of catch-ups, \(number("requests", "held_bytes_peak")) B held
              processor       \(Int(cpu * 1_000)) ms here, \(Int(world.server.cpuSeconds * 1_000)) ms in the server
            """
    }
}
