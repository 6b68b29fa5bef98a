import ConvergeEngine
import ConvergeJSON
import ConvergeTransport

extension Server {
    /// The answer to ADMIN stats. Names end in their unit; counts are since the start, `now` says otherwise.
    func statsDocument() -> [UInt8] {
        let engine = engine.statistics
        var json = JSONWriter(reserving: 4_096)
        json.beginObject()
        json.member("version", Server.version)
        json.member("uptime_us", now - counters.startedAt)
        json.member("window_ms", configuration.windowMilliseconds)
        json.member("sequence", counters.sequence)
        writes(engine, into: &json)
        flushes(engine, into: &json)
        rows(engine, into: &json)
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
        json.object("requests") { json in
            json.member("handled", counters.requests)
            json.member("refused", counters.requestsRefused)
            json.member("waiting_now", waiting.count)
            json.member("connections_held_now", held.connections.count)
            json.member("held_bytes_now", held.bytes)
            json.member("held_bytes_peak", held.bytesPeak)
            json.member("held_bytes_max", configuration.heldBytesMax)
            json.member("held_disconnected", counters.heldTooMuch)
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
            json.member("bytes_now", engine.pendingBytes)
            json.member("bytes_peak", engine.pendingBytesPeak)
            json.member("bytes_max", engine.pendingBytesMax)
        }
    }

    private func rows(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("rows") { json in
            json.member("entities_now", engine.entities)
            json.member("tombstones_now", engine.tombstones)
        }
    }

    private func kinds(into json: inout JSONWriter) {
        json.member("kinds_now", registry.count)
        json.key("kinds")
        json.beginArray()
        // The document has to fit in a frame.
        for entry in registry.entries(after: 0).prefix(1_000) {
            json.beginObject()
            json.member("kind", entry.kind)
            json.member("name", entry.definition.name)
            json.member("entities_now", engine.entities(kind: entry.kind))
            json.endObject()
        }
        json.endArray()
    }

    private func subscribers(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("subscriptions") { json in
            json.member("now", counters.subscriptions)
            json.member("live_now", readers.count)
            json.member("catch_ups_now", engine.catchUps)
            json.member("delivered", counters.delivered)
            json.member("caught_up", counters.caughtUp)
            json.member("moved_to_catch_up", counters.movedToCatchUp)
            json.member("catch_ups_postponed", counters.catchUpsPostponed)
            json.member("slow_readers_disconnected", counters.slowReaders)
            json.member("unsendable", counters.unsendable)
        }
    }

    private func memory(_ engine: EngineStatistics, into json: inout JSONWriter) {
        json.object("memory") { json in
            json.member("engine_bytes", engine.memoryBytes)
            json.member("segment_bytes", engine.segmentBytes)
            guard let reading = configuration.memory?() else { return }
            json.member("allocated_bytes", reading.allocated)
            json.member("active_bytes", reading.active)
            json.member("resident_bytes", reading.resident)
        }
    }

    private func net(into json: inout JSONWriter) {
        let net = transport.statistics
        json.object("net") { json in
            json.member("connections_now", net.connections)
            json.member("accepted", net.accepted)
            json.member("closed", net.closed)
            json.member("bytes_in", net.bytesIn)
            json.member("bytes_out", net.bytesOut)
            json.member("receives", net.receives)
            json.member("sends", net.sends)
            json.member("polls", net.polls)
            json.member("backend", transport.backend.name)
            json.member("unfinished_bytes_now", net.unfinishedBytes)
            json.member("unfinished_bytes_peak", net.unfinishedPeak)
            json.member("unfinished_bytes_max", net.unfinishedMax)
            json.member("queued_bytes_now", net.queuedBytes)
            json.member("queued_bytes_peak", net.queuedPeak)
            json.member("unsent_private_bytes_now", net.unsentPrivateBytes)
            json.member("unsent_private_bytes_peak", net.unsentPrivatePeak)
        }
    }
}

extension JSONWriter {
    fileprivate mutating func object(_ key: String, _ members: (inout JSONWriter) -> Void) {
        self.key(key)
        beginObject()
        members(&self)
        endObject()
    }
}
