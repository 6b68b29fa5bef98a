import ConvergeTestSupport
import ConvergeWire
import Testing

/// R2, R3: live notifications, bootstrap, and both classes.
@Suite struct SubscriptionTests {
    @Test func r2CreatedUpdatedDeleted() throws {
        let server = try TestServer { $0.windowMilliseconds = 0 }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        let subscribed = try reader.subscribe(kind)
        #expect(subscribed.kind == kind && subscribed.klass == 0)
        for level: UInt32 in 1...3 {
            try writer.send(Frames.assert(kind, id("a"), Gauge.row(level)))
            try writer.sync()
        }
        let states = try (1...3).map { _ in try reader.receiveState().state }
        #expect(states.map(\.type) == [.created, .updated, .updated])
        #expect(states.map(\.version) == [1, 2, 3])
        #expect(states.map(\.changed) == [0b11111, 1, 1])
        try writer.send(Frames.retract(kind, id("a")))
        try writer.sync()
        #expect(try reader.receive().opcode == .deleted)
        try server.stop()
    }

    @Test func w8WhatDoesNotChangeIsSilent() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind)
        try writer.send(Frames.assert(kind, id("a"), Gauge.row(1)))
        try writer.sync()
        try writer.send(Frames.assert(kind, id("a"), Gauge.row(1)))
        try writer.sync()
        try writer.send(Frames.assert(kind, id("b"), Gauge.row(2)))
        try writer.sync()
        #expect(try reader.receiveState().state.id == id("a"))
        #expect(try reader.receiveState().state.id == id("b"))
        try server.stop()
    }

    @Test func r2EachClassGetsItsOwnBytes() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let (plain, _) = try RawClient.withGauge(server)
        let (previous, _) = try RawClient.withGauge(server)
        #expect(try plain.subscribe(kind).klass == 0)
        #expect(try previous.subscribe(kind, .previous).klass == 1)
        for level: UInt32 in [1, 2] {
            try writer.send(Frames.assert(kind, id("a"), Gauge.row(level)))
            try writer.sync()
        }
        let without = try (1...2).map { _ in try plain.receiveState() }
        let with = try (1...2).map { _ in try previous.receiveState() }
        #expect(without.map(\.state.klass) == [0, 0] && with.map(\.state.klass) == [1, 1])
        #expect(without.map(\.data) == with.map(\.data))
        #expect(without.allSatisfy { $0.previous == nil })
        #expect(with[0].previous == nil)
        #expect(with[1].previous == Gauge.row(1))
        try server.stop()
    }

    @Test func r3BootstrapOfAnEmptyKind() throws {
        let server = try TestServer()
        let (reader, kind) = try RawClient.withGauge(server)
        try reader.subscribe(kind, .bootstrap)
        #expect(try reader.receive(BootstrapBegin.self).flags == [])
        let end = try reader.receive(BootstrapEnd.self)
        #expect(end.count == 0)
        try reader.send(Frames.assert(kind, id("a"), Gauge.row(1)))
        #expect(try reader.receiveState().state.type == .created)
        try server.stop()
    }

    @Test func r3BootstrapSendsEveryEntityThenLive() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 20_000
        try writer.send(
            Frames.write { w in
                for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row(UInt32(row))) }
            })
        let synced = try writer.sync()
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind, .bootstrap)
        #expect(try reader.receive(BootstrapBegin.self).estimate == UInt64(rows))
        var mirror = Mirror()
        var frame = try reader.receive()
        while try mirror.take(frame) { frame = try reader.receive() }
        let end = try frame.decode(BootstrapEnd.self)
        #expect(end.count == UInt64(rows) && mirror.rows.count == rows && mirror.notifications == rows)
        #expect(end.token == synced.token)
        #expect((0..<rows).allSatisfy { mirror.rows[id($0)]?.data == Gauge.row(UInt32($0)) })
        try writer.send(Frames.assert(kind, id("next"), Gauge.row(1)))
        #expect(try reader.receiveState().state.type == .created)
        try server.stop()
    }

    @Test func r3BootstrapUnderSteadyWritesEndsEqual() throws {
        let server = try TestServer { $0.windowMilliseconds = 0 }
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 150_000
        try writer.send(
            Frames.write { w in for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            })
        try writer.sync()
        // A small receive buffer keeps the bootstrap in many steps, with writes between them.
        let (reader, _) = try RawClient.withGauge(server, receiveBuffer: 32 << 10)
        try reader.subscribe(kind, .bootstrap, buffer: 1 << 20)
        var generator = SplitMix(seed: 7)
        var model: [EntityID: [UInt8]] = [:]
        for row in 0..<rows { model[id(row)] = Gauge.row() }
        var mirror = Mirror()
        for round: UInt32 in 1...100 {
            let writes = Frames.write { w in
                for _ in 0..<100 {
                    let entity = id(Int(generator.next() % UInt64(rows + 2_000)))
                    if generator.next() % 4 == 0 {
                        w.retract(kind: kind, id: entity)
                        model[entity] = nil
                    } else {
                        w.assert(kind: kind, schema: 1, id: entity, data: Gauge.row(round))
                        model[entity] = Gauge.row(round)
                    }
                }
            }
            try writer.send(writes)
            #expect(try writer.sync().refused == 0)
            for _ in 0..<200 { try mirror.take(reader.receive()) }
        }
        // The socket's buffers hold less than the kind: all of this happened in mid catch-up.
        #expect(try stats(writer)["subscriptions"]?["catch_ups_now"]?.integer() == 1)
        // Unsubscribing is answered behind everything; by then the catch-up has to have sent all of it.
        while try stats(writer)["subscriptions"]?["catch_ups_now"]?.integer() != 0 {
            for _ in 0..<1_000 where !reader.isIdle { try mirror.take(reader.receive()) }
        }
        try reader.send(stream: 9, Unsubscribe(kind: kind))
        var frame = try reader.receive()
        while frame.opcode != .unsubscribed {
            try mirror.take(frame)
            frame = try reader.receive()
        }
        #expect(mirror.rows.mapValues(\.data) == model)
        #expect(mirror.regressions == 0)
        try server.stop()
    }

    @Test func r4ATokenOfAnotherTimeMeansReset() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(Frames.assert(kind, id("a"), Gauge.row(1)))
        let token = try client.sync().token
        #expect(try Token(bytes: token).sequences.reduce(0, +) == 1)
        _ = try client.request(Subscribe(kind: kind, token: token), Subscribed.self)
        #expect(try client.receive(BootstrapBegin.self).flags == .reset)
        #expect(try client.receiveState().state.type == .snapshot)
        #expect(try client.receive(BootstrapEnd.self).token == token)
        let (other, _) = try RawClient.withGauge(server)
        try other.expectError(to: Subscribe(kind: kind, token: [9, 9]), .malformedMessage)
        try server.stop()
    }

    @Test func subscriptionsThatCannotBe() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.expectError(to: Subscribe(kind: 99), .unknownKind, "99")
        for flags: SubscribeFlags in [.progress, .conflate, .sourceChanges] {
            try client.expectError(to: Subscribe(kind: kind, flags: flags), .unsupported, "clear it")
        }
        try client.expectError(to: Unsubscribe(kind: kind), .notSubscribed, "'Gauge'")
        try client.subscribe(kind, .noMetadata)
        try client.expectError(to: Subscribe(kind: kind), .alreadySubscribed, "'Gauge'")
        _ = try client.request(Unsubscribe(kind: kind), Unsubscribed.self)
        try client.subscribe(kind)
        try server.stop()
    }

    @Test func afterUnsubscribedNothingOfTheKindComes() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.subscribe(kind)
        try client.send(
            Frames.message(Unsubscribe(kind: kind), stream: 1) + Frames.assert(kind, id("a"), Gauge.row())
                + Frames.message(Sync(), stream: 2))
        #expect(try client.receive().opcode == .unsubscribed)
        #expect(try client.receive().opcode == .synced)
        try server.stop()
    }

    @Test func unsubscribeInMidCatchUp() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let rows = 50_000
        try writer.send(
            Frames.write { w in for row in 0..<rows { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row()) }
            })
        try writer.sync()
        let (reader, _) = try RawClient.withGauge(server, receiveBuffer: 32 << 10)
        try reader.subscribe(kind, .bootstrap)
        #expect(try reader.receive().opcode == .bootstrapBegin)
        try reader.send(stream: 9, Unsubscribe(kind: kind))
        var snapshots = 0
        while try reader.receive().opcode == .state { snapshots += 1 }
        try writer.send(Frames.assert(kind, id("late"), Gauge.row()))
        try writer.sync()
        #expect(try reader.sync().refused == 0)
        // Starting over sends everything.
        try reader.subscribe(kind, .bootstrap)
        var mirror = Mirror()
        while true {
            let frame = try reader.receive()
            if frame.opcode == .bootstrapEnd { break }
            try mirror.take(frame)
        }
        #expect(mirror.rows.count == rows + 1)
        try server.stop()
    }

    @Test func severalKindsOnOneConnection() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        var other = Gauge.definition
        other.name = "Other"
        let second = try client.create(other)
        try client.subscribe(kind)
        try client.subscribe(second, .previous)
        try client.send(Frames.assert(second, id("b"), Gauge.row(2)) + Frames.assert(kind, id("a"), Gauge.row(1)))
        let received = try [client.receiveState().state, client.receiveState().state]
        #expect(Set(received.map(\.kind)) == [kind, second])
        try server.stop()
    }
}
