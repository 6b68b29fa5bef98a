import ConvergeJSON
import ConvergeTestSupport
import ConvergeWire
import Testing

/// R5: who does not read is disconnected, and costs nobody else anything.
@Suite struct SlowReaderTests {
    @Test func r5AReaderThatNeverReadsIsDisconnectedAndMemoryStaysBounded() throws {
        let server = try TestServer {
            $0.windowMilliseconds = 0
            // GOODBYE stands behind a full socket until the reader reads at last.
            $0.lingerMilliseconds = 30_000
        }
        let (writer, kind) = try RawClient.withGauge(server)
        let (good, _) = try RawClient.withGauge(server)
        let (slow, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try good.subscribe(kind)
        try slow.subscribe(kind, buffer: 100)

        var mirror = Mirror()
        var round: UInt32 = 0
        var disconnected: UInt64 = 0
        // The kernel's buffers swallow some megabytes first; each round is a flush of 50 notifications, half the buffer.
        while disconnected == 0, round < 20_000 {
            round += 1
            try writer.send(
                Frames.write { w in
                    for row in 0..<50 { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row(round)) }
                })
            try writer.sync()
            for _ in 0..<50 { try mirror.take(good.receive()) }
            if round % 50 == 0 {
                disconnected = try stats(writer)["subscriptions"]?["slow_readers_disconnected"]?.integer() ?? 0
            }
        }
        #expect(disconnected == 1)
        let memory = try stats(writer)
        let queued: Int = memory["net"]?["queued_bytes_peak"]?.integer() ?? .max
        // 100 notifications, one flush more, and the slice under way.
        #expect(queued < 1 << 20)
        #expect((memory["memory"]?["segment_bytes"]?.integer() ?? .max) < 4 << 20)
        #expect(mirror.rows.values.allSatisfy { Gauge.level($0.data) == round })

        let last = try slow.receiveAll().last
        let goodbye = try #require(try last?.decode(ServerGoodbye.self))
        #expect(goodbye.reason == GoodbyeReason.slowReader.rawValue)
        #expect(goodbye.message.contains("read faster, or subscribe with a larger buffer"))
        for client in [writer, good, slow] { client.close() }
        try server.stop()
    }

    @Test func r5AFlushLargerThanTheBufferDisconnectsNobodyAndTheReaderGoesLiveAgain() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, buffer: 10)
        let rows = 5_000
        var generator = SplitMix(seed: 3)
        var model: [EntityID: [UInt8]] = [:]
        var mirror = Mirror()
        for round: UInt32 in 1...20 {
            var batch = FrameWriter()
            batch.beginBatch()
            for _ in 0..<(round % 3 == 0 ? 5 : rows) {
                let entity = id(Int(generator.next() % UInt64(rows)))
                if generator.next() % 3 == 0 {
                    batch.retract(kind: kind, id: entity)
                    model[entity] = nil
                } else {
                    batch.assert(kind: kind, schema: 1, id: entity, data: Gauge.row(round))
                    model[entity] = Gauge.row(round)
                }
            }
            batch.endBatch()
            try writer.send(batch.bytes)
            try writer.sync()
            while mirror.rows.mapValues(\.data) != model { try mirror.take(reader.receive()) }
        }
        #expect(mirror.regressions == 0)
        let subscriptions = try stats(writer)["subscriptions"]
        #expect((subscriptions?["moved_to_catch_up"]?.integer() ?? 0) > 0)
        #expect(subscriptions?["slow_readers_disconnected"]?.integer() == 0)
        try server.stop()
    }

    @Test func r5DoesNotApplyDuringCatchUp() throws {
        let server = try TestServer { $0.windowMilliseconds = 0 }
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 100_000
        try writer.send(
            Frames.write { w in for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            })
        try writer.sync()
        let (reader, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try reader.subscribe(kind, .bootstrap, buffer: 10)
        // It does not read yet, and the writer goes on with far more flushes than its buffer holds.
        for round: UInt32 in 1...200 {
            try writer.send(Frames.assert(kind, id(Int(round)), Gauge.row(round)))
            try writer.sync()
        }
        #expect(try stats(writer)["subscriptions"]?["catch_ups_now"]?.integer() == 1)
        var mirror = Mirror()
        while (1...200).contains(where: { mirror.rows[id($0)].map { Gauge.level($0.data) } != UInt32($0) }) {
            try mirror.take(reader.receive())
        }
        #expect(mirror.regressions == 0)
        try server.stop()
    }

    /// Who does not want it any more is sent no more of it, wherever the catch-up stands.
    @Test func r3ACatchUpEndsWithItsSubscription() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 100_000
        try writer.send(
            Frames.write { w in for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            }
        )
        try writer.sync()
        let (reader, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try reader.subscribe(kind, .bootstrap)
        try reader.send(stream: 9, Unsubscribe(kind: kind))
        var states = 0
        while case let frame = try reader.receive(), frame.opcode != .unsubscribed { states += 1 }
        #expect(states < rows)
        let subscriptions = try stats(writer)["subscriptions"]
        #expect(subscriptions?["catch_ups_now"]?.integer() == 0 && subscriptions?["now"]?.integer() == 0)
        #expect(try reader.request(Heartbeat(opaque: 1)).opcode == .heartbeatAck && reader.isIdle)
        try server.stop()
    }

    @Test func aClientThatAsksAndNeverReadsIsNotReadEither() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        let (other, _) = try RawClient.withGauge(server)
        var wide = Gauge.definition
        wide.name = "Wide"
        wide.fields = (0..<8).map { .init(name: "f\($0)", type: .bytes, max: 65_535) }
        let wideKind = try client.create(wide)
        try client.send(Frames.patch(wideKind, id("w"), mask: 0, []))
        try client.sync()
        let queries = 100
        // 100 answers of half a megabyte; then a write, which must not be lost.
        try client.send(
            Frames.write { w in
                for _ in 0..<queries { w.message(Query(kind: wideKind, id: id("w")), stream: 1) }
                w.assert(kind: kind, schema: 1, id: id("a"), data: Gauge.row(9))
                w.message(Sync(), stream: 2)
            })
        try other.sync()
        #expect((try stats(other)["net"]?["queued_bytes_peak"]?.integer() ?? .max) < 4 << 20)
        for _ in 0..<queries { #expect(try client.receive(QueryResult.self).data.count == 8 * 65_537) }
        #expect(try client.receive(Synced.self).applied == 2)
        #expect(Gauge.level(try other.query(kind, id("a")).data) == 9)
        try server.stop()
    }
}

func stats(_ client: RawClient) throws -> JSONValue {
    let reply = try client.request(Admin(json: Array(#"{"command":"stats"}"#.utf8)), AdminReply.self)
    return try JSONValue(parsing: reply.json)
}
