import ConvergeTestSupport
import ConvergeWire
import Testing

/// Frames cut anywhere, connections that end anywhere.
@Suite struct ConnectionTests {
    /// One whole session: greeting, writes of every kind, a barrier, a query.
    private func session(_ kind: UInt16, source: UInt8) -> (bytes: [UInt8], cuts: [Int]) {
        var connect = Connect()
        connect.flags = .hasSource
        connect.source = source
        var bytes: [UInt8] = []
        var cuts: [Int] = []
        for frame in [
            Frames.message(connect, stream: 1),
            Frames.message(CreateKind(definition: Gauge.definition.encoded()), stream: 2),
            Frames.assert(kind, id("a"), Gauge.row(1)),
            Frames.patch(kind, id("a"), mask: 1, [2, 0, 0, 0]),
            Frames.write {
                $0.beginBatch()
                $0.assert(kind: kind, schema: 1, id: id("b"), data: Gauge.row(3))
                $0.retract(kind: kind, id: id("b"))
                $0.endBatch()
            },
            Frames.message(Subscribe(kind: kind, flags: .bootstrap), stream: 3),
            Frames.message(Sync(), stream: 4),
        ] {
            bytes += frame
            cuts.append(bytes.count)
        }
        return (bytes, cuts)
    }

    @Test func framesMayBeCutAtEveryOffset() throws {
        let server = try TestServer()
        let (_, kind) = try RawClient.withGauge(server, source: 0)
        let bytes = session(kind, source: 1).bytes
        for cut in 1..<bytes.count {
            let client = try RawClient(server)
            try client.send(bytes[..<cut])
            // The reply to CONNECT says that the first part has been read, if it is long enough to have one.
            var replied = 0
            if cut >= 60 {
                #expect(try client.receive().opcode == .connected)
                replied = 1
            }
            try client.send(bytes[cut...])
            if replied == 0 { #expect(try client.receive().opcode == .connected) }
            var synced: Synced?
            while synced == nil {
                let frame = try client.receive()
                #expect(frame.opcode != .error, "cut at \(cut): \(frame)")
                if frame.opcode == .synced { synced = try frame.decode() }
            }
            #expect(synced?.applied == 4 && synced?.refused == 0, "cut at \(cut)")
            try client.send(Frames.message(Goodbye()))
            while try client.receiveOrEnd() != nil {}
        }
        try server.stop()
    }

    @Test func oneByteAtATime() throws {
        let server = try TestServer()
        let (_, kind) = try RawClient.withGauge(server, source: 0)
        let client = try RawClient(server)
        for byte in session(kind, source: 1).bytes { try client.send([byte]) }
        var frame = try client.receive()
        while frame.opcode != .synced { frame = try client.receive() }
        #expect(try frame.decode(Synced.self).applied == 4)
        try server.stop()
    }

    @Test(arguments: [false, true]) func aConnectionMayEndAtEveryPoint(_ reset: Bool) throws {
        let server = try TestServer()
        let (witness, kind) = try RawClient.withGauge(server, source: 0)
        let (bytes, cuts) = session(kind, source: 1)
        for cut in cuts.flatMap({ [$0 - 1, $0, $0 + 1] }) where cut <= bytes.count {
            let client = try RawClient(server)
            try client.send(bytes[..<cut])
            if reset { client.reset() } else { client.close() }
        }
        try witness.send(Frames.assert(kind, id("w"), Gauge.row(1)))
        #expect(try witness.sync().applied == 1)
        // Nobody is left: the source and every subscription have been given up with their connections.
        while try stats(witness)["net"]?["connections_now"]?.integer() != 1 {}
        let subscriptions = try stats(witness)["subscriptions"]
        #expect(subscriptions?["now"]?.integer() == 0 && subscriptions?["catch_ups_now"]?.integer() == 0)
        let next = try RawClient(server)
        try next.connect(source: 1)
        try server.stop()
    }

    @Test func aWriteBeforeTheEndStands() throws {
        let server = try TestServer()
        let (witness, kind) = try RawClient.withGauge(server, source: 0)
        let client = try RawClient(server)
        try client.connect(source: 1)
        try client.send(Frames.assert(kind, id("last"), Gauge.row(4)))
        client.close()
        while try witness.query(kind, id("last")).status != QueryResult.Status.alive.rawValue {}
        #expect(try witness.query(kind, id("last")).sourceSet == 2)
        try server.stop()
    }

    @Test func stopTakesLeaveOfEveryoneAndFlushes() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        let silent = try RawClient(server)
        try reader.subscribe(kind)
        try writer.send(Frames.assert(kind, id("a"), Gauge.row(1)) + Frames.message(Sync(), stream: 1))
        try writer.send(Frames.message(Heartbeat(opaque: 1), stream: 2))
        _ = try writer.receive(HeartbeatAck.self)
        server.beginStop()
        #expect(try writer.receive(Synced.self).applied == 1)
        #expect(try reader.receiveState().state.type == .created)
        for client in [writer, reader, silent] {
            #expect(try client.receive(ServerGoodbye.self).reason == GoodbyeReason.shutdown.rawValue)
            try client.expectEnd()
        }
        try server.stop()
        #expect(throws: ClientFailure.self) { try RawClient(server) }
    }

    @Test func aPortInUseIsASentence() throws {
        let server = try TestServer()
        let error = #expect(throws: (any Error).self) { _ = try TestServer { $0.port = server.port } }
        #expect("\(try #require(error))".contains("\(server.port)"))
        try server.stop()
    }

    @Test func adminTellsItsCommands() throws {
        let server = try TestServer { $0.memory = { .init(allocated: 11, active: 22, resident: 33) } }
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(Frames.assert(kind, id("a"), Gauge.row()))
        try client.sync()
        let document = try stats(client)
        #expect(document["writes"]?["applied"]?.integer() == 1)
        #expect(document["rows"]?["entities_now"]?.integer() == 1)
        #expect(document["kinds"]?.elements?.first?["name"]?.string == "Gauge")
        #expect(document["memory"]?["resident_bytes"]?.integer() == 33)
        try client.expectError(to: Admin(json: Array(#"{"command":"stat"}"#.utf8)), .unsupported, "'stat'", "'stats'")
        try client.expectError(to: Admin(json: Array("{".utf8)), .malformedMessage, "JSON")
        try server.stop()
    }

    @Test func goodbyeWithRetractIsNotPretended() throws {
        let server = try TestServer()
        let (client, _) = try RawClient.withGauge(server)
        try client.expectError(to: Goodbye(mode: 1), .unsupported, "RETRACT")
        try client.sync()
        try server.stop()
    }
}
