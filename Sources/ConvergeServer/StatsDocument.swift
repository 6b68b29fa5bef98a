import ConvergeEngine
import ConvergeJSON
import ConvergeSchema
import ConvergeTransport

extension Shard {
    /// What this shard says of itself. Names end in their unit; counts are since the start, `now` says otherwise.
    func statistics() -> StatisticsTree {
        let engine = partitions.statistics
        var tree = StatisticsTree()
        tree.text("version", Server.version)
        tree.same("uptime_us", now - context.startedAt)
        tree.same("window_ms", configuration.windowMilliseconds)
        tree.highest("sequence", engine.sequence)
        writes(engine, into: &tree)
        requests(into: &tree)
        flushes(engine, into: &tree)
        rows(engine, into: &tree)
        shards(engine, into: &tree)
        partitions(into: &tree)
        kinds(into: &tree)
        subscribers(into: &tree)
        memory(engine, into: &tree)
        net(into: &tree)
        return tree
    }

    private func writes(_ engine: EngineStatistics, into tree: inout StatisticsTree) {
        tree.object("writes") { tree in
            tree.sum("applied", engine.applied)
            tree.sum("refused", engine.refused)
            tree.sum("malformed", counters.malformed)
        }
    }

    private func requests(into tree: inout StatisticsTree) {
        tree.object("requests") { tree in
            tree.sum("handled", counters.requests)
            tree.sum("refused", counters.requestsRefused)
            tree.highest("turn_cost_peak", peaks.turnCost)
            tree.commonBound("waiting", now: waiting, peak: peaks.waiting, max: ServerLimits.waitingMaxOfAll)
            tree.sum("connections_held_now", held.count)
            tree.bound("held_bytes", now: held.bytes, peak: held.bytesPeak, max: configuration.heldBytesMax)
            tree.sum("held_disconnected", counters.heldTooMuch + pools[.held].relieved)
        }
        pool(.replies, "replies", into: &tree)
    }

    private func pool(_ pool: Pool, _ name: String, into tree: inout StatisticsTree) {
        tree.object(name) { tree in
            let used = bytesUsed(pool)
            tree.bound("bytes", now: used, peak: max(used, pools[pool].peak), max: bytesMax(pool))
            tree.sum("disconnected", pools[pool].relieved)
        }
    }

    private func flushes(_ engine: EngineStatistics, into tree: inout StatisticsTree) {
        tree.object("flushes") { tree in
            tree.sum("windows", counters.flush)
            tree.sum("changed", engine.flushes)
            tree.sum("postponed", counters.flushesPostponed)
            tree.sum("created", engine.created)
            tree.sum("updated", engine.updated)
            tree.sum("deleted", engine.deleted)
            tree.sum("revived", engine.revived)
            tree.sum("deduplicated", engine.deduplicated)
        }
        tree.object("pending") { tree in
            tree.sum("rows_now", engine.pendingRows)
            tree.bound("bytes", now: engine.pendingBytes, peak: engine.pendingBytesPeak, max: engine.pendingBytesMax)
        }
    }

    private func rows(_ engine: EngineStatistics, into tree: inout StatisticsTree) {
        tree.object("rows") { tree in
            tree.sum("entities_now", engine.entities)
            tree.sum("tombstones_now", engine.tombstones)
        }
    }

    private func shards(_ engine: EngineStatistics, into tree: inout StatisticsTree) {
        var shard = StatisticsTree()
        let lanes = mail.statistics
        shard.same("shard", number)
        shard.sum("connections_now", sessions.count)
        shard.sum("applied", engine.applied)
        shard.sum("forwarded", mail.forwarded)
        shard.sum("windows", counters.flush)
        shard.sum("wakes", mail.wakes)
        shard.sum("lane_entries", lanes.pushed)
        shard.sum("lane_peak", lanes.peak)
        shard.sum("waits_for_room", counters.waitsForRoom)
        shard.sum("handovers_refused", counters.handoversRefused)
        tree.list("shards", by: "shard", [shard])
    }

    private func partitions(into tree: inout StatisticsTree) {
        let list = partitions.numbers.map { number in
            let engine = partitions[number].engine.statistics
            var partition = StatisticsTree()
            partition.same("partition", number)
            partition.sum("applied", engine.applied)
            partition.sum("flushes", engine.flushes)
            partition.sum("sequence", engine.sequence)
            partition.sum("entities_now", engine.entities)
            partition.sum("pending_bytes_peak", engine.pendingBytesPeak)
            return partition
        }
        tree.list("partitions", by: "partition", list)
    }

    private func kinds(into tree: inout StatisticsTree) {
        tree.same("kinds_now", registry.count)
        tree.same("kinds_peak", registry.count)
        tree.same("kinds_max", SchemaLimits.kinds)
        tree.same("definition_bytes_now", registry.bytes)
        tree.same("definition_bytes_peak", registry.bytes)
        tree.same("definition_bytes_max", ServerLimits.definitionBytesMax)
        // The document has to fit in a frame.
        let list = registry.entries(after: 0).prefix(1_000).map { entry in
            var kind = StatisticsTree()
            kind.same("kind", entry.kind)
            kind.text("name", entry.definition.name)
            kind.sum("entities_now", partitions.entities(kind: entry.kind))
            return kind
        }
        tree.list("kinds", by: "kind", list)
    }

    private func subscribers(into tree: inout StatisticsTree) {
        tree.object("subscriptions") { tree in
            tree.sum("now", counters.subscriptions)
            tree.sum("peak", peaks.subscriptions)
            tree.same("max", ServerLimits.subscriptionsMax)
            tree.sum("refused", counters.subscriptionsRefused)
            tree.sum("live_now", counters.subscriptions - counters.subscriptionsBehind)
            tree.sum("catch_ups_now", counters.subscriptionsBehind)
            tree.bound(
                "catch_up_bytes", now: catchUps.bytes, peak: peaks.catchUpBytes, max: configuration.catchUpBytesMax)
            tree.sum("catch_ups_refused", counters.catchUpsRefused)
            tree.sum("delivered", counters.delivered)
            tree.sum("caught_up", counters.caughtUp)
            tree.sum("moved_to_catch_up", counters.movedToCatchUp)
            tree.sum("catch_ups_postponed", counters.catchUpsPostponed)
            tree.sum("slow_readers_disconnected", counters.slowReaders)
            tree.sum("unsendable", counters.unsendable)
        }
        pool(.segments, "segments", into: &tree)
    }

    private func memory(_ engine: EngineStatistics, into tree: inout StatisticsTree) {
        tree.object("memory") { tree in
            tree.sum("engine_bytes", engine.memoryBytes)
            tree.sum("segment_bytes", engine.segmentBytes)
            tree.same("bounds_bytes_max", boundsBytesMax)
            guard let reading = configuration.memory?() else { return }
            tree.same("allocated_bytes", reading.allocated)
            tree.same("active_bytes", reading.active)
            tree.same("resident_bytes", reading.resident)
        }
    }

    private func net(into tree: inout StatisticsTree) {
        let net = transport.statistics
        tree.object("net") { tree in
            tree.commonBound(
                "connections", now: sessions.count, peak: peaks.connections, max: configuration.connectionsMax)
            tree.sum("turned_away", counters.turnedAway)
            tree.commonBound(
                "greetings", now: greetings.count, peak: peaks.greetings,
                max: 2 * configuration.connectionsMax + ServerLimits.greetingsKept + 1)
            tree.sum("accepted", net.accepted)
            tree.sum("closed", net.closed)
            tree.sum("bytes_in", net.bytesIn)
            tree.sum("bytes_out", net.bytesOut)
            tree.sum("receives", net.receives)
            tree.sum("bundles", net.bundles)
            tree.sum("sends", net.sends)
            tree.sum("polls", net.polls)
            tree.text("backend", transport.backend.name)
            tree.bound(
                "unfinished_bytes", now: net.unfinishedBytes, peak: net.unfinishedPeak, max: net.unfinishedMax)
            tree.sum("unfinished_disconnected", counters.unfinishedTooMuch)
            tree.sum("queued_bytes_now", net.queuedBytes)
            tree.sum("queued_bytes_peak", net.queuedPeak)
            tree.sum("unsent_private_bytes_now", net.unsentPrivateBytes)
            tree.sum("unsent_private_bytes_peak", net.unsentPrivatePeak)
        }
    }
}

extension Shard {
    /// What everything that is bounded may take together, rows and indexes not included.
    private var boundsBytesMax: Int {
        let configuration = context.configuration
        let bytes = [
            configuration.pendingBytesMax, configuration.unfinishedBytesMax, configuration.heldBytesMax,
            configuration.repliesBytesMax,
            configuration.segmentBytesMax, configuration.catchUpBytesMax, ServerLimits.definitionBytesMax,
            ServerLimits.waitingMaxOfAll * MemoryLayout<WaitingRequest>.stride,
            ServerLimits.subscriptionsMax * ServerLimits.subscriptionBytes,
            (configuration.connectionsMax + ServerLimits.surplusConnections) * ServerLimits.connectionBytes,
            ServerLimits.loopBytes,
        ]
        return bytes.reduce(0, +)
    }
}
