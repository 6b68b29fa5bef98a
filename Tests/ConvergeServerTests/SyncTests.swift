import ConvergeTestSupport
import ConvergeWire
import Testing

/// W4, F1, F3: barriers and windows.
@Suite struct SyncTests {
    @Test func w4SyncOfACleanPartitionIsAnsweredAtOnce() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let client = try RawClient(server)
        try client.connect()
        let synced = try client.sync()
        #expect(synced.applied == 0 && synced.refused == 0)
        #expect(try Token(bytes: synced.token).sequences == Array(repeating: 0, count: TestServer.partitions))
        try server.stop()
    }

    @Test func w4SyncWaitsForTheWindowAndDoesNotShortenIt() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let (writer, kind) = try RawClient.withGauge(server)
        let other = try RawClient(server)
        try other.connect()
        try writer.send(Frames.assert(kind, id("a"), Gauge.row(1)) + Frames.message(Sync(), stream: 1))
        // The window is open: nothing is installed, and nobody else waits for it.
        try writer.send(Frames.message(Heartbeat(opaque: 5), stream: 2))
        #expect(try writer.receive(HeartbeatAck.self).opaque == 5)
        #expect(try other.query(kind, id("a")).status == QueryResult.Status.notFound.rawValue)
        #expect(try other.sync().applied == 0)
        // The window is a minute long; the last flush is that of the shutdown.
        server.beginStop()
        #expect(try writer.receive(Synced.self).applied == 1)
        try server.stop()
    }

    @Test func w4SyncedComesBehindTheNotificationsItSpeaksOf() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.subscribe(kind)
        for round: UInt32 in 1...20 {
            try client.send(Frames.assert(kind, id("a"), Gauge.row(round)) + Frames.message(Sync(), stream: 1))
            #expect(Gauge.level(try client.receiveState().data) == round)
            let synced = try client.receive(Synced.self)
            #expect(try Token(bytes: synced.token).sequences.sorted().last == UInt64(round))
        }
        try server.stop()
    }

    @Test func w4SyncedCountsTheWritesBeforeIt() throws {
        let server = try TestServer { $0.windowMilliseconds = 50 }
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(
            Frames.assert(kind, id("a"), Gauge.row(1)) + Frames.message(Sync(), stream: 1)
                + Frames.assert(kind, id("b"), Gauge.row(1)) + Frames.message(Sync(), stream: 2))
        #expect(try client.receive(Synced.self).applied == 1)
        #expect(try client.receive(Synced.self).applied == 2)
        try server.stop()
    }

    @Test func f3AQueryAfterMyWritesWaitsForTheFlush() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(
            Frames.assert(kind, id("a"), Gauge.row(8))
                + Frames.message(Query(kind: kind, flags: .afterMyWrites, id: id("a")), stream: 1)
                + Frames.message(Query(kind: kind, id: id("a")), stream: 2))
        let first = try client.receive()
        #expect(first.stream == 2)
        #expect(try first.decode(QueryResult.self).status == QueryResult.Status.notFound.rawValue)
        server.beginStop()
        #expect(Gauge.level(try client.receive(QueryResult.self).data) == 8)
        try server.stop()
    }

    @Test func f1WindowZeroFlushesEveryTurn() throws {
        let server = try TestServer { $0.windowMilliseconds = 0 }
        let (client, kind) = try RawClient.withGauge(server)
        for round: UInt32 in 1...50 {
            try client.send(Frames.assert(kind, id("a"), Gauge.row(round)))
            #expect(Gauge.level(try client.query(kind, id("a"), flags: .afterMyWrites).data) == round)
        }
        #expect(try client.query(kind, id("a")).version == 50)
        try server.stop()
    }

    /// The first write decides when a window closes: those behind it do not put it off.
    @Test func f1AWindowClosesUnderASteadyStreamOfWrites() throws {
        let server = try TestServer { $0.windowMilliseconds = 100 }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind)
        var round: UInt32 = 0
        let start = ContinuousClock.now
        while reader.isIdle, start.duration(to: .now) < .seconds(5) {
            round += 1
            try writer.send(Frames.assert(kind, id("a"), Gauge.row(round)) + Frames.message(Heartbeat(), stream: 1))
            _ = try writer.receive(HeartbeatAck.self)
        }
        #expect(start.duration(to: .now) < .seconds(5))
        try server.stop()
    }

    @Test func f1AFullWindowIsFlushedEarlyAndNothingIsLost() throws {
        let server = try TestServer {
            $0.windowMilliseconds = 60_000
            $0.pendingBytesMax = 1 << 20
        }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, buffer: 1 << 20)
        let rows = 50_000
        try writer.send(
            Frames.write { w in
                for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row(UInt32(row))) }
            })
        // The last window stays open; its writes come with the shutdown.
        var mirror = Mirror()
        while mirror.rows.count < rows / 2 { try mirror.take(reader.receive()) }
        _ = try writer.request(Heartbeat(opaque: 1), HeartbeatAck.self)
        let peak: UInt64? = try stats(writer)["pending"]?["bytes_peak"]?.integer()
        #expect(try #require(peak) <= 1 << 20)
        server.beginStop()
        for frame in try reader.receiveAll() { try mirror.take(frame) }
        #expect(mirror.rows.count == rows)
        #expect((0..<rows).allSatisfy { mirror.rows[id($0)]?.data == Gauge.row(UInt32($0)) })
        try server.stop()
    }

    @Test func w4GoodbyeComesBehindWhatWasAskedBefore() throws {
        let server = try TestServer { $0.windowMilliseconds = 50 }
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(
            Frames.assert(kind, id("a"), Gauge.row(7)) + Frames.message(Sync(), stream: 1)
                + Frames.message(Query(kind: kind, flags: .afterMyWrites, id: id("a")), stream: 2)
                + Frames.message(Goodbye(), stream: 0)
                // Behind GOODBYE nothing is heard.
                + Frames.message(Heartbeat(opaque: 1), stream: 3) + [UInt8](repeating: 0xEE, count: 40))
        // Of another shard the query may be answered first.
        let answers = [try client.receive(), try client.receive()]
        #expect(answers.count { $0.opcode == .synced } == 1)
        for answer in answers where answer.opcode == .synced { #expect(try answer.decode(Synced.self).applied == 1) }
        for answer in answers where answer.opcode == .queryResult {
            #expect(Gauge.level(try answer.decode(QueryResult.self).data) == 7)
        }
        try client.expectEnd()
        try server.stop()
    }

    @Test func w4GoodbyeInAHeldRequestIsHeardInItsTurn() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        let (other, _) = try RawClient.withGauge(server)
        try client.send(
            Frames.write { w in
                w.assert(kind: kind, schema: 1, id: id("a"), data: Gauge.row(1))
                for _ in 0..<3_000 { w.message(Sync(), stream: 1) }
                w.assert(kind: kind, schema: 1, id: id("b"), data: Gauge.row(2))
                w.message(Sync(), stream: 2)
                w.message(Goodbye(), stream: 0)
            })
        for _ in 0..<3_000 { #expect(try client.receive(Synced.self).applied == 1) }
        #expect(try client.receive(Synced.self).applied == 2)
        try client.expectEnd()
        #expect(Gauge.level(try other.query(kind, id("b")).data) == 2)
        try server.stop()
    }

    @Test func manyWaitingSyncsAreAllAnswered() throws {
        let server = try TestServer { $0.windowMilliseconds = 10 }
        let (client, kind) = try RawClient.withGauge(server)
        let rounds = 5_000
        try client.send(
            Frames.write { w in
                for round in 1...rounds {
                    w.assert(kind: kind, schema: 1, id: id("a"), data: Gauge.row(UInt32(round)))
                    w.message(Sync(), stream: 1)
                }
            })
        for round in 1...rounds { #expect(try client.receive(Synced.self).applied == UInt64(round)) }
        try server.stop()
    }
}
