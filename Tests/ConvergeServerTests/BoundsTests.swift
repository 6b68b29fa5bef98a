import ConvergeJSON
import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Testing

@testable import ConvergeServer

/// Every bound, reached: who is over it is told, and everyone else goes on.
@Suite struct BoundsTests {
    private static let wide = KindDefinition(
        name: "Wide", fields: (0..<4).map { .init(name: "f\($0)", type: .bytes, max: 16_000) })
    private static let wideBytes = 4 * 16_002

    /// A client that has asked for far more than its socket takes.
    private func hoarder(_ server: TestServer, _ kind: UInt16, requests: Int) throws -> RawClient {
        let client = try RawClient(server, receiveBuffer: 4 << 10)
        try client.connect(flags: .readOnly)
        try client.send(
            Frames.write { w in for _ in 0..<requests { w.message(Query(kind: kind, id: id("w")), stream: 1) } })
        return client
    }

    private func withWide(_ server: TestServer) throws -> (RawClient, UInt16) {
        let (client, _) = try RawClient.withGauge(server)
        let kind = try client.create(Self.wide)
        try client.send(Frames.patch(kind, id("w"), mask: 0, []))
        try client.sync()
        return (client, kind)
    }

    private func integer(_ client: RawClient, _ object: String, _ member: String) throws -> Int {
        try #require(try stats(client)[object]?[member]?.integer())
    }

    private func wait(_ client: RawClient, _ object: String, _ member: String, above value: Int) throws {
        for _ in 0..<10_000 where try integer(client, object, member) <= value {}
        #expect(try integer(client, object, member) > value)
    }

    // MARK: Replies

    @Test func whoHoldsMostOfTheRepliesIsSentAway() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.repliesBytesMax = 16 << 20
            $0.lingerMilliseconds = 30_000
        }
        let (witness, kind) = try withWide(server)
        var hoarders: [RawClient] = []
        // Each may hold a 128th of what is free, and an answer more.
        for _ in 0..<300 {
            hoarders.append(try hoarder(server, kind, requests: 200))
            guard try integer(witness, "replies", "disconnected") == 0 else { break }
            #expect(try witness.query(kind, id("w")).data.count == Self.wideBytes)
        }
        #expect(try integer(witness, "replies", "disconnected") > 0)
        #expect(try integer(witness, "replies", "bytes_peak") <= 16 << 20)
        #expect(try integer(witness, "replies", "bytes_now") <= 12 << 20)
        #expect(try witness.query(kind, id("w")).data.count == Self.wideBytes)
        // The first had the largest shares: they hold most.
        var farewells = 0
        for client in hoarders.prefix(4) {
            guard let last = try client.receiveAll().last, last.opcode == .serverGoodbye else { continue }
            let goodbye = try last.decode(ServerGoodbye.self)
            #expect(goodbye.reason == GoodbyeReason.slowReader.rawValue)
            #expect(goodbye.message.contains("take the answers before you ask for more"))
            farewells += 1
            break
        }
        #expect(farewells > 0)
        try server.stop()
    }

    /// Requests held fill their pool: who holds most goes, not who comes last and has to be held as well.
    @Test func whoHoldsMostOfTheHeldRequestsIsSentAway() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.heldBytesMax = 1 << 20
            $0.windowMilliseconds = 5_000
        }
        let (witness, kind) = try RawClient.withGauge(server)
        func hold(_ heartbeats: Int) throws -> RawClient {
            let client = try RawClient(server)
            try client.connect(source: 1, flags: [.shared])
            // A write, as many that wait for its flush as may, and what has to be held behind them.
            try client.send(
                Frames.write { w in
                    w.assert(kind: kind, schema: 1, id: id("a"), data: Gauge.row(1))
                    for _ in 0..<ServerLimits.waitingMax { w.message(Sync(), stream: 1) }
                    for number in 0..<heartbeats { w.message(Heartbeat(opaque: UInt64(number)), stream: 2) }
                })
            return client
        }
        let greedy = try (0..<40).map { _ in try hold(2_000) }
        try wait(witness, "requests", "held_disconnected", above: 0)
        let modest = try (0..<3).map { _ in try hold(1_500) }
        for client in modest {
            for _ in 0..<ServerLimits.waitingMax { #expect(try client.receive(Synced.self).refused == 0) }
            for number in 0..<1_500 { #expect(try client.receive(HeartbeatAck.self).opaque == UInt64(number)) }
        }
        #expect(try integer(witness, "requests", "held_bytes_peak") <= 1 << 20)
        var farewells = 0
        for client in greedy where farewells == 0 {
            // Whoever was kept is answered like the modest.
            while farewells == 0, let frame = try client.receiveOrEnd(), frame.opcode != .heartbeatAck {
                guard frame.opcode == .serverGoodbye else { continue }
                #expect(try frame.decode(ServerGoodbye.self).message.contains("held most"))
                farewells += 1
            }
        }
        #expect(farewells == 1)
        try server.stop()
    }

    /// Below three quarters nobody has to go: shares get smaller, and everybody gets all answers in the end.
    @Test func manyWhoAskForMuchGetItLater() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.repliesBytesMax = 64 << 20
        }
        let (witness, kind) = try withWide(server)
        let clients = try (0..<30).map { _ in try hoarder(server, kind, requests: 60) }
        #expect(try witness.query(kind, id("w")).data.count == Self.wideBytes)
        for client in clients {
            for _ in 0..<60 { #expect(try client.receive(QueryResult.self).data.count == Self.wideBytes) }
        }
        #expect(try integer(witness, "replies", "disconnected") == 0)
        #expect(try integer(witness, "requests", "held_bytes_peak") > 0)
        #expect(try integer(witness, "requests", "connections_held_now") == 0)
        #expect(try integer(witness, "requests", "held_bytes_now") == 0)
        try server.stop()
    }

    /// Answers that are promised count: without that a flush would queue them all at once.
    @Test func answersThatWaitForAFlushArePromised() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.repliesBytesMax = 16 << 20
            $0.windowMilliseconds = 200
        }
        let (witness, _) = try RawClient.withGauge(server)
        let kind = try witness.create(
            KindDefinition(name: "Row", fields: [FieldDefinition(name: "data", type: .bytes, max: 8_000)]))
        try witness.send(Frames.patch(kind, id("w"), mask: 0, []))
        try witness.sync()
        // All share source 63. If what is promised to the others were nothing, each could be promised more than a 300th.
        let clients = try (0..<300).map { _ in
            let client = try RawClient(server)
            try client.connect(source: 63, flags: .shared)
            return client
        }
        for (number, client) in clients.enumerated() {
            try client.send(
                Frames.write { w in
                    w.patch(kind: kind, schema: 1, id: id(number), mask: 0, data: [])
                    for _ in 0..<24 { w.message(Query(kind: kind, flags: .afterMyWrites, id: id("w")), stream: 1) }
                })
        }
        var served = 0
        for client in clients {
            var answers = 0
            while answers < 24, let frame = try client.receiveOrEnd(), frame.opcode == .queryResult { answers += 1 }
            if answers == 24 { served += 1 }
        }
        #expect(served > 0)
        #expect(try integer(witness, "replies", "bytes_peak") <= 16 << 20)
        #expect(try integer(witness, "requests", "waiting_peak") > 0)
        try server.stop()
    }

    @Test func whatWasPromisedToWhoHasGoneIsFreeAgain() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let (witness, _) = try RawClient.withGauge(server, source: 0)
        let kind = try witness.create(Self.wide)
        for source: UInt8 in 1...3 {
            let client = try RawClient(server)
            try client.connect(source: source)
            try client.send(
                Frames.patch(kind, id("w"), mask: 0, [])
                    + Frames.message(Query(kind: kind, flags: .afterMyWrites, id: id("w")), stream: 1))
            _ = try client.request(Heartbeat(opaque: 1), HeartbeatAck.self)
            #expect(try integer(witness, "replies", "bytes_now") >= Self.wideBytes)
            client.reset()
            while try integer(witness, "net", "connections_now") > 1 {}
            #expect(try integer(witness, "replies", "bytes_now") < Self.wideBytes)
        }
        try server.stop()
    }

    // MARK: Segments

    @Test func theSlowestReadersGoWhenSegmentsAreShort() throws {
        let server = try TestServer {
            $0.windowMilliseconds = 0
            $0.shards = 1  // the pool of one
            $0.segmentBytesMax = 8 << 20
            $0.subscriberBytes = 1 << 30
            $0.lingerMilliseconds = 30_000
        }
        let (writer, kind) = try withWide(server)
        let (good, _) = try RawClient.withGauge(server)
        let (slow, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try good.subscribe(kind, buffer: 1 << 20)
        try slow.subscribe(kind, buffer: 1 << 20)
        var rounds: UInt8 = 0
        while try integer(writer, "segments", "disconnected") == 0, rounds < 250 {
            rounds += 1
            try writer.send(
                Frames.patch(kind, id("w"), mask: 1, [0x80, 0x3E] + [UInt8](repeating: rounds, count: 16_000)))
            try writer.sync()
            #expect(try good.receiveState().data[2] == rounds)
        }
        #expect(try integer(writer, "segments", "disconnected") == 1)
        #expect(try integer(writer, "segments", "bytes_peak") <= 8 << 20)
        let last = try #require(try slow.receiveAll().last)
        #expect(try last.decode(ServerGoodbye.self).message.contains("read faster, and subscribe again"))
        try server.stop()
    }

    // MARK: Catch-up

    @Test func bootstrapsAreRefusedWhenWhatTheyRememberIsTooMuch() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.catchUpBytesMax = 6 << 10
        }
        let (witness, kind) = try withWide(server)
        try witness.send(
            Frames.write { w in for row in 0..<200 { w.patch(kind: kind, schema: 1, id: id(row), mask: 0, data: []) } })
        try witness.sync()
        let (first, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try first.subscribe(kind, .bootstrap)
        let (second, _) = try RawClient.withGauge(server)
        try second.expectError(to: Subscribe(kind: kind, flags: .bootstrap), .limitReached, "--catch-up-max-mb")
        #expect(try integer(witness, "subscriptions", "catch_ups_refused") == 1)
        #expect(try integer(witness, "subscriptions", "catch_up_bytes_peak") <= 6 << 10)
        while try first.receive().opcode != .bootstrapEnd {}
        try wait(witness, "subscriptions", "live_now", above: 0)
        try second.subscribe(kind, .bootstrap)
        while try second.receive().opcode != .bootstrapEnd {}
        try server.stop()
    }

    /// About fifty in each partition.
    private let rowsOfAFlush = 50 * TestServer.partitions

    private func writeInOneFlush(_ writer: RawClient, _ kind: UInt16) throws {
        try writer.send(
            Frames.write { w in
                w.beginBatch()
                for row in 0..<rowsOfAFlush { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
                w.endBatch()
            })
        try writer.sync()
    }

    @Test func whoHasToCatchUpAndMayNotIsSentAway() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.catchUpBytesMax = 1 << 10
        }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, buffer: 10)
        try writeInOneFlush(writer, kind)
        let goodbye = try #require(try reader.receiveAll().last).decode(ServerGoodbye.self)
        #expect(goodbye.reason == GoodbyeReason.slowReader.rawValue)
        #expect(goodbye.message.contains("--catch-up-max-mb"))
        #expect(try integer(writer, "subscriptions", "catch_ups_refused") == 1)
        try server.stop()
    }

    @Test func aFlushOfMoreBytesThanAReaderMayHaveIsCaughtUpWith() throws {
        let server = try TestServer {
            $0.shards = 1  // another shard's flush may come while what this one sent by catch-up is unsent
            $0.subscriberBytes = 1_000
        }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, buffer: 1_000)
        try writeInOneFlush(writer, kind)
        for _ in 0..<rowsOfAFlush { #expect(try reader.receiveState().state.type == .snapshot) }
        let moved = try integer(writer, "subscriptions", "moved_to_catch_up")
        #expect((1...TestServer.partitions).contains(moved))
        try server.stop()
    }

    // MARK: Connections

    @Test func whoComesTooLateIsTold() throws {
        let server = try TestServer { $0.connectionsMax = 2 }
        let (witness, kind) = try RawClient.withGauge(server)
        let second = try RawClient(server)
        try second.connect()
        let third = try RawClient(server)
        try third.expectError(.limitReached, fatal: true, "at most 2 connections", "--connections-max")
        try third.expectEnd()
        third.close()
        #expect(try integer(witness, "net", "turned_away") == 1)
        #expect(try integer(witness, "net", "connections_max") == 2)
        second.close()
        while try integer(witness, "net", "connections_now") > 1 {}
        let fourth = try RawClient(server)
        try fourth.connect()
        #expect(try fourth.query(kind, id("a")).status == QueryResult.Status.notFound.rawValue)
        try server.stop()
    }

    @Test func whoHoardsUnfinishedMessagesIsTold() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.unfinishedBytesMax = 1 << 20
        }
        let (witness, kind) = try RawClient.withGauge(server)
        let hoarder = try RawClient(server)
        try hoarder.connect()
        try hoarder.send(
            Frames.header(.batch, payloadBytes: 4_000_000) + [UInt8](repeating: 0, count: 900 << 10))
        let goodbye = try #require(try hoarder.receiveAll().last).decode(ServerGoodbye.self)
        #expect(goodbye.reason == GoodbyeReason.limitReached.rawValue)
        #expect(goodbye.message.contains("unfinished messages"))
        #expect(try integer(witness, "net", "unfinished_disconnected") == 1)
        #expect(try witness.query(kind, id("a")).status == QueryResult.Status.notFound.rawValue)
        try server.stop()
    }

    @Test func connectionsThatComeAndGoDoNotFillTheQueueOfGreetings() throws {
        let server = try TestServer { $0.connectionsMax = 8 }
        let (witness, _) = try RawClient.withGauge(server)
        for _ in 0..<3 * ServerLimits.greetingsKept {
            let client = try RawClient(server)
            client.reset()
        }
        #expect(
            try integer(witness, "net", "greetings_peak") <= (ServerLimits.greetingsKept + 2 * 9) * TestServer.shards)
        try server.stop()
    }
}
