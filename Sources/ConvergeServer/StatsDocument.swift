import ConvergeEngine
import ConvergeJSON
import ConvergeSchema
import ConvergeTransport

extension Server {
    /// The answer to ADMIN stats. Names end in their unit; counts are since the start, `now` says otherwise.
    func statsDocument() -> [UInt8] {
        let engine = partitions.statistics
        var json = JSONWriter(reserving: 4_096)
        json.beginObject()
        json.member("version", Server.version)
        json.member("uptime_us", now - counters.startedAt)
        json.member("window_ms", configuration.windowMilliseconds)
        json.member("sequence", engine.sequence)
        writes(engine, into: &json)
        requests(into: &json)
        flushes(engine, into: &json)
        rows(engine, into: &json)
        partitions(into: &json)
        kinds(into: &json)
        subscribers(engine, into: &json)
        memory(engine, into: &json)
        net(into: &json)
        json.endObject()
        return json.bytes
    }

    private func writes(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("writes") { json in
            json.member("applied", engine.applied)
            json.member("refused", engine.refused)
            json.member("malformed", counters.malformed)
        }
    }

    private func requests(into json: inout JSONWriter) {
        json.object("requests") { json in
            json.member("handled", counters.requests)
            json.member("refused", counters.requestsRefused)
            json.member("turn_cost_peak", peaks.turnCost)
            json.bound("waiting", now: waiting, peak: peaks.waiting, max: ServerLimits.waitingMaxOfAll)
            json.member("connections_held_now", held.count)
            json.bound("held_bytes", now: held.bytes, peak: held.bytesPeak, max: configuration.heldBytesMax)
            json.member("held_disconnected", counters.heldTooMuch + pools[.held].relieved)
        }
        pool(.replies, "replies", into: &json)
    }

    private func pool(_ pool: Pool, _ name: String, into json: inout JSONWriter) {
        json.object(name) { json in
            let used = bytesUsed(pool)
            json.bound("bytes", now: used, peak: max(used, pools[pool].peak), max: bytesMax(pool))
            json.member("disconnected", pools[pool].relieved)
        }
    }

    private func flushes(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("flushes") { json in
            json.member("windows", counters.flush)
            json.member("changed", engine.flushes)
            json.member("postponed", counters.flushesPostponed)
            json.member("created", engine.created)
            json.member("updated", engine.updated)
            json.member("deleted", engine.deleted)
            json.member("revived", engine.revived)
            json.member("deduplicated", engine.deduplicated)
        }
        json.object("pending") { json in
            json.member("rows_now", engine.pendingRows)
            json.bound("bytes", now: engine.pendingBytes, peak: engine.pendingBytesPeak, max: engine.pendingBytesMax)
        }
    }

    private func rows(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("rows") { json in
            json.member("entities_now", engine.entities)
            json.member("tombstones_now", engine.tombstones)
        }
    }

    private func partitions(into json: inout JSONWriter) {
        json.key("partitions")
        json.beginArray()
        for partition in 0..<partitions.count {
            let engine = partitions[partition].engine.statistics
            json.beginObject()
            json.member("partition", partition)
            json.member("applied", engine.applied)
            json.member("flushes", engine.flushes)
            json.member("sequence", engine.sequence)
            json.member("entities_now", engine.entities)
            json.member("pending_bytes_peak", engine.pendingBytesPeak)
            json.endObject()
        }
        json.endArray()
    }

    private func kinds(into json: inout JSONWriter) {
        json.bound("kinds", now: registry.count, peak: registry.count, max: SchemaLimits.kinds)
        json.bound(
            "definition_bytes", now: registry.bytes, peak: registry.bytes, max: ServerLimits.definitionBytesMax)
        json.key("kinds")
        json.beginArray()
        // The document has to fit in a frame.
        for entry in registry.entries(after: 0).prefix(1_000) {
            json.beginObject()
            json.member("kind", entry.kind)
            json.member("name", entry.definition.name)
            json.member("entities_now", partitions.entities(kind: entry.kind))
            json.endObject()
        }
        json.endArray()
    }

    private func subscribers(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("subscriptions") { json in
            json.member("now", counters.subscriptions)
            json.member("peak", peaks.subscriptions)
            json.member("max", ServerLimits.subscriptionsMax)
            json.member("refused", counters.subscriptionsRefused)
            json.member("live_now", counters.subscriptions - catchUps.subscriptions)
            json.member("catch_ups_now", catchUps.subscriptions)
            json.bound(
                "catch_up_bytes", now: catchUps.bytes, peak: peaks.catchUpBytes, max: configuration.catchUpBytesMax)
            json.member("catch_ups_refused", counters.catchUpsRefused)
            json.member("delivered", counters.delivered)
            json.member("caught_up", counters.caughtUp)
            json.member("moved_to_catch_up", counters.movedToCatchUp)
            json.member("catch_ups_postponed", counters.catchUpsPostponed)
            json.member("slow_readers_disconnected", counters.slowReaders)
            json.member("unsendable", counters.unsendable)
        }
        pool(.segments, "segments", into: &json)
    }

    private func memory(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("memory") { json in
            json.member("engine_bytes", engine.memoryBytes)
            json.member("segment_bytes", engine.segmentBytes)
            json.member("bounds_bytes_max", boundsBytesMax)
            guard let reading = configuration.memory?() else { return }
            json.member("allocated_bytes", reading.allocated)
            json.member("active_bytes", reading.active)
            json.member("resident_bytes", reading.resident)
        }
    }

    private func net(into json: inout JSONWriter) {
        let net = transport.statistics
        json.object("net") { json in
            json.bound(
                "connections", now: sessions.count, peak: peaks.connections, max: configuration.connectionsMax)
            json.member("turned_away", counters.turnedAway)
            json.bound(
                "greetings", now: greetings.count, peak: peaks.greetings,
                max: 2 * configuration.connectionsMax + ServerLimits.greetingsKept + 1)
            json.member("accepted", net.accepted)
            json.member("closed", net.closed)
            json.member("bytes_in", net.bytesIn)
            json.member("bytes_out", net.bytesOut)
            json.member("receives", net.receives)
            json.member("bundles", net.bundles)
            json.member("sends", net.sends)
            json.member("polls", net.polls)
            json.member("backend", transport.backend.name)
            json.bound(
                "unfinished_bytes", now: net.unfinishedBytes, peak: net.unfinishedPeak, max: net.unfinishedMax)
            json.member("unfinished_disconnected", counters.unfinishedTooMuch)
            json.member("queued_bytes_now", net.queuedBytes)
            json.member("queued_bytes_peak", net.queuedPeak)
            json.member("unsent_private_bytes_now", net.unsentPrivateBytes)
            json.member("unsent_private_bytes_peak", net.unsentPrivatePeak)
        }
    }
}

extension Server {
    /// What everything that is bounded may take together, rows and indexes not included.
    private var boundsBytesMax: Int {
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

extension JSONWriter {
    /// What something is now, was at most since the start, and may be.
    fileprivate mutating func bound(
        _ name: String, now: some FixedWidthInteger, peak: some FixedWidthInteger, max: some FixedWidthInteger
    ) {
        member("\(name)_now", now)
        member("\(name)_peak", peak)
        member("\(name)_max", max)
    }

    fileprivate mutating func object(_ key: String, _ members: (inout JSONWriter) -> Void) {
        self.key(key)
        beginObject()
        members(&self)
        endObject()
    }
}
