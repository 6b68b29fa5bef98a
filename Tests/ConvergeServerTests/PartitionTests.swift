import ConvergeSchema
import ConvergeServer
import ConvergeTestSupport
import ConvergeWire
import Testing

/// What holds over all partitions together (W4, R3, R4, R5), with as many as there are in these tests.
@Suite struct PartitionTests {
    private static let partitions = 4

    private func server(_ configure: (inout ServerConfiguration) -> Void = { _ in }) throws -> TestServer {
        try TestServer {
            $0.partitions = Self.partitions
            configure(&$0)
        }
    }

    @Test func connectedSaysHowManyThereAre() throws {
        let server = try server()
        let client = try RawClient(server)
        #expect(try client.connect().partitions == 4)
        try server.stop()
    }

    @Test func everyPartitionGetsItsShare() throws {
        let server = try server()
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(
            Frames.write { w in for row in 0..<1_000 { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            })
        try client.sync()
        let partitions = try #require(try stats(client)["partitions"]?.elements)
        #expect(partitions.count == Self.partitions)
        let entities: [Int] = partitions.compactMap { $0["entities_now"]?.integer() }
        #expect(entities.reduce(0, +) == 1_000)
        #expect(entities.allSatisfy { (150...350).contains($0) })
        #expect(try stats(client)["rows"]?["entities_now"]?.integer() == 1_000)
        try server.stop()
    }

    /// Windows of different partitions open one after another; the barrier waits for the last of them.
    @Test func w4SyncWaitsForEveryPartition() throws {
        let server = try server { $0.windowMilliseconds = 30 }
        let (client, kind) = try RawClient.withGauge(server)
        let (other, _) = try RawClient.withGauge(server)
        for round: UInt32 in 1...20 {
            for row in 0..<8 { try client.send(Frames.assert(kind, id(row), Gauge.row(round))) }
            let synced = try client.sync()
            #expect(synced.applied == UInt64(round) * 8)
            for row in 0..<8 {
                #expect(try Gauge.level(other.query(kind, id(row)).data) == round)
            }
            #expect(try Token(bytes: synced.token).sequences.count == Self.partitions)
        }
        try server.stop()
    }

    @Test func r3BootstrapEndComesWhenEveryPartitionIsThrough() throws {
        let server = try server()
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 2_000
        try writer.send(
            Frames.write { w in for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            })
        let token = try writer.sync().token
        let (reader, _) = try RawClient.withGauge(server)
        try reader.send(stream: 3, Subscribe(kind: kind, flags: .bootstrap))
        _ = try reader.receive(Subscribed.self)
        #expect(try reader.receive(BootstrapBegin.self).estimate == UInt64(rows))
        var mirror = Mirror()
        for _ in 0..<rows { try mirror.take(reader.receive()) }
        let end = try reader.receive(BootstrapEnd.self)
        #expect(end.count == UInt64(rows))
        #expect(end.token == token)
        #expect(mirror.rows.count == rows)
        try server.stop()
    }

    /// Nothing to send in most of them: they are through at once, and the end comes all the same.
    @Test func r3AnEmptyKindIsBootstrapped() throws {
        let server = try server()
        let (reader, kind) = try RawClient.withGauge(server)
        try reader.send(stream: 3, Subscribe(kind: kind, flags: .bootstrap))
        _ = try reader.receive(Subscribed.self)
        _ = try reader.receive(BootstrapBegin.self)
        #expect(try reader.receive(BootstrapEnd.self).count == 0)
        try server.stop()
    }

    /// All partitions' windows of a turn are one flush for a reader's buffer.
    @Test func r5FlushesOfOneTurnDoNotCountAgainstEachOther() throws {
        let server = try server { $0.shards = 1 }  // a turn is a shard's
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, buffer: 40)
        for round: UInt32 in 1...50 {
            try writer.send(
                Frames.write { w in
                    w.beginBatch()
                    for row in 0..<60 { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row(round)) }
                    w.endBatch()
                })
            try writer.sync()
            for _ in 0..<60 { #expect(Gauge.level(try reader.receiveState().data) == round) }
        }
        try server.stop()
    }

    /// What the windows of a turn come to together is what does not fit: as from a single partition, nobody is too slow for it.
    @Test func r5FlushesOfOneTurnThatAreTogetherTooLargeDisconnectNobody() throws {
        let server = try server {
            $0.shards = 1  // a turn is a shard's
            $0.windowMilliseconds = 20
        }
        let (writer, _) = try RawClient.withGauge(server)
        let kind = try writer.create(
            KindDefinition(name: "Wide", fields: [FieldDefinition(name: "bytes", type: .bytes, max: 8_190)]))
        let (reader, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        try reader.subscribe(kind, .previous, buffer: 150)
        let rows = 400
        func row(_ round: UInt8) -> [UInt8] { [1, 0, round] + [UInt8](repeating: 0, count: 8_189) }
        var mirror = Mirror()
        for round: UInt8 in 1...3 {
            try writer.send(
                Frames.write { w in
                    w.beginBatch()
                    for entity in 0..<rows { w.assert(kind: kind, schema: 1, id: id(entity), data: row(round)) }
                    w.endBatch()
                })
            // Its socket is full, and flushes go on.
            try writer.sync()
            for _ in 0..<5 {
                try writer.send(Frames.assert(kind, id(rows), row(round)))
                try writer.send(Frames.assert(kind, id(rows), row(round + 100)))
                try writer.sync()
            }
            while (0..<rows).contains(where: { mirror.rows[id($0)]?.data[2] != round }) {
                try mirror.take(reader.receive())
            }
        }
        #expect(mirror.regressions == 0)
        let subscriptions = try stats(writer)["subscriptions"]
        #expect((subscriptions?["moved_to_catch_up"]?.integer() ?? 0) > 0)
        #expect(subscriptions?["slow_readers_disconnected"]?.integer() == 0)
        try server.stop()
    }
}
