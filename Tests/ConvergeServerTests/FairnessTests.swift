import ConvergeJSON
import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

@testable import ConvergeServer

/// Nobody's requests fill a turn, and none gets lost when they are handled over several.
@Suite struct FairnessTests {
    /// 64 fields with the longest names.
    static func widest(_ name: String) -> KindDefinition {
        KindDefinition(
            name: name,
            fields: (0..<64).map { field in
                FieldDefinition(name: "f\(field)".padded(to: SchemaLimits.nameBytes), type: .u8)
            })
    }

    @Test func aListOfKindsComesInPages() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let count = 300
        for number in 1...count { #expect(try client.create(Self.widest("k\(number)")) == UInt16(number)) }
        var kinds: [KindInfo] = []
        var pages = 0
        while true {
            let page = try client.request(ListKinds(after: kinds.last?.kind ?? 0), KindList.self)
            #expect(page.payloadBytes <= 1 << 20)
            kinds += page.kinds
            pages += 1
            guard page.flags.contains(.more) else { break }
            // As many as fit: one more would not have.
            try #require(page.payloadBytes + 4 + page.kinds[0].payloadBytes > 1 << 20)
        }
        #expect(pages == 2)
        #expect(kinds.map(\.kind) == Array(1...UInt16(count)))
        #expect(kinds.last?.definition == Self.widest("k\(count)").encoded())
        #expect(try client.request(ListKinds(after: .max), KindList.self).kinds.isEmpty)
        #expect(try client.request(ListKinds(after: UInt16(count - 1)), KindList.self).kinds.count == 1)
        try server.stop()
    }

    /// Both requests are in the server before its next turn; whoever asked for little is served before the flood is over.
    @Test func requestsAreHandledInPortionsAndInOrder() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.widest("k"))
        let requests = 2_000
        let definition = Self.widest("k").encoded()
        // Each costs 8 + 82: a turn's portion is a dozen.
        var flood = Frames.write { w in
            for number in 1...requests { w.message(Heartbeat(opaque: UInt64(number)), stream: 1) }
            w.message(CreateKind(definition: definition), stream: 2)
            w.message(Sync(), stream: 3)
        }
        flood += Frames.write { w in
            for number in 1...requests { w.message(Heartbeat(opaque: UInt64(number)), stream: 4) }
        }
        try client.send(flood)
        for number in 1...requests { #expect(try client.receive(HeartbeatAck.self).opaque == UInt64(number)) }
        #expect(try client.receive(KindInfo.self).kind == kind)
        #expect(try client.receive(Synced.self).refused == 0)
        for number in 1...requests { #expect(try client.receive(HeartbeatAck.self).opaque == UInt64(number)) }
        let requestsHeld: UInt64? = try stats(client)["requests"]?["held_bytes_peak"]?.integer()
        #expect(try #require(requestsHeld) > 0)
        #expect(try stats(client)["requests"]?["held_bytes_now"]?.integer() == 0)
        try server.stop()
    }

    /// Two expensive requests each, all there when a turn begins: they are handled over several turns, and who asks for little
    /// does not wait for them.
    @Test func manyWhoAskForMuchAtOnceDoNotFillATurn() throws {
        // A stats document takes longer than the others need to ask.
        let server = try TestServer {
            $0.memory = {
                usleep(300_000)
                return MemoryReading(allocated: 0, active: 0, resident: 0)
            }
        }
        let (busy, gauge) = try RawClient.withGauge(server)
        for number in 1...250 { _ = try busy.create(Self.widest("k\(number)")) }
        let clients = try (0..<100).map { _ in
            let client = try RawClient(server)
            try client.connect(flags: .readOnly)
            return client
        }
        let modest = try RawClient(server)
        try modest.connect(flags: .readOnly)
        try busy.send(stream: 1, Admin(json: Array(#"{"command":"stats"}"#.utf8)))
        let requests = Frames.write { w in for stream: UInt16 in 1...2 { w.message(ListKinds(), stream: stream) } }
        for client in clients { try client.send(requests) }
        try modest.send(stream: 1, Query(kind: gauge, id: id("none")))
        #expect(try modest.receive(QueryResult.self).status == QueryResult.Status.notFound.rawValue)
        for client in clients {
            for _ in 1...2 { #expect(try client.receive(KindList.self).kinds.count > 100) }
        }
        let peak: Int? = try stats(modest)["requests"]?["turn_cost_peak"]?.integer()
        // The turn's share, and one request that went over it, of the 200 that cost 270 each.
        #expect(try #require(peak) <= ServerLimits.turnCostOfAll + 1_024)
        try server.stop()
    }

    @Test func theCostOfATurnIsThatOfTheTurn() {
        var cost = RequestCost()
        #expect(!cost.isUsedUp(in: 1))
        cost.charge(ServerLimits.turnCost - 1, in: 1)
        #expect(!cost.isUsedUp(in: 1))
        cost.charge(1, in: 1)
        #expect(cost.isUsedUp(in: 1))
        #expect(!cost.isUsedUp(in: 2))
        cost.charge(1, in: 2)
        #expect(cost.spent(in: 2) == 1)
    }

    /// What is parsed is paid for by its length: a receive buffer full of it is a turn's share.
    @Test func longRequestsCostMore() {
        for opcode in [Opcode.createKind, .admin] {
            #expect(RequestCost.estimate(opcode, payloadBytes: 64 << 10) >= ServerLimits.turnCost)
        }
        #expect(RequestCost.ofAnswer(bytes: 4 << 20) >= ServerLimits.turnCost)
    }

    /// Far more requests than may be held: reading stops, and TCP slows down who asks. Nobody has to go.
    @Test func whoAsksFasterThanItIsAnsweredIsSlowedDown() throws {
        let server = try TestServer()
        let (client, _) = try RawClient.withGauge(server)
        let requests = 40_000
        try client.send(
            Frames.write { w in for number in 1...requests { w.message(Heartbeat(opaque: UInt64(number)), stream: 1) } }
        )
        for number in 1...requests { try #require(try client.receive(HeartbeatAck.self).opaque == UInt64(number)) }
        #expect(try stats(client)["requests"]?["held_disconnected"]?.integer() == 0)
        #expect((try stats(client)["requests"]?["held_bytes_peak"]?.integer() ?? .max) < 256 << 10)
        try server.stop()
    }

    @Test func whatHasToBeHeldIsBounded() throws {
        let server = try TestServer {
            $0.shards = 1  // the pool of one
            $0.heldBytesMax = 4 << 10
        }
        let (witness, kind) = try RawClient.withGauge(server)
        let client = try RawClient(server)
        try client.connect()
        // No more than a turn's portion is handled in the first turn; the rest of one receive buffer is above the bound.
        try client.send(
            Frames.write { w in for _ in 0..<4_000 { w.message(GetKind(name: "Gauge"), stream: 1) } })
        let last = try #require(try client.receiveAll().last)
        let goodbye = try last.decode(ServerGoodbye.self)
        #expect(goodbye.reason == GoodbyeReason.slowReader.rawValue)
        #expect(goodbye.message.contains("take the answers before you ask for more"))
        #expect(try stats(witness)["requests"]?["held_disconnected"]?.integer() == 1)
        #expect(try stats(witness)["requests"]?["held_bytes_now"]?.integer() == 0)
        #expect((try stats(witness)["requests"]?["held_bytes_peak"]?.integer() ?? .max) <= 4 << 10)
        #expect(try witness.query(kind, id("a")).status == QueryResult.Status.notFound.rawValue)
        try server.stop()
    }

    /// A request longer than a receive buffer is nobody's need: it is not held, whatever room there is.
    @Test func aLongRequestOfAConnectionThatDoesNotReadIsNotHeld() throws {
        // A query for another shard is held while its answer is on its way.
        let server = try TestServer { $0.shards = 1 }
        let (client, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        let (other, _) = try RawClient.withGauge(server)
        let wide = KindDefinition(
            name: "Wide", fields: (0..<8).map { .init(name: "f\($0)", type: .bytes, max: 65_535) })
        let kind = try client.create(wide)
        try client.send(Frames.patch(kind, id("w"), mask: 0, []))
        try client.sync()
        // One by one, until the queue is full and nothing is held yet.
        var handled: UInt64 = 0
        for _ in 0..<100 {
            var before = try stats(other)
            // The kernel may take more of what is queued for a while.
            while true {
                let later = try stats(other)
                let isSettled = queued(later) == queued(before)
                before = later
                if isSettled { break }
            }
            guard queued(before) <= 1 << 20 else { break }
            handled = before["requests"]?["handled"]?.integer() ?? 0
            try client.send(stream: 1, Query(kind: kind, id: id("w")))
            // A stats request counts one itself.
            while try stats(other)["requests"]?["handled"]?.integer() == handled + 1 { handled += 1 }
        }
        try client.send(Frames.frame(.admin, stream: 2, payload: [UInt8](repeating: 32, count: 300 << 10)))
        // Once the answers are taken there would be room for it.
        var looks = 0
        while try stats(other)["requests"]?["held_disconnected"]?.integer() == 0, looks < 10_000 { looks += 1 }
        #expect(try client.receiveAll().last?.opcode == .serverGoodbye)
        #expect(try stats(other)["requests"]?["held_disconnected"]?.integer() == 1)
        #expect((try stats(other)["requests"]?["held_bytes_peak"]?.integer() ?? .max) < 256 << 10)
        try server.stop()
    }

    private func queued(_ stats: JSONValue) -> Int { stats["net"]?["queued_bytes_now"]?.integer() ?? 0 }

    /// Whoever comes and goes, those who are left get what they subscribed to, once.
    @Test func readersComeAndGo() throws {
        let server = try TestServer()
        let (writer, gauge) = try RawClient.withGauge(server)
        var kinds = [gauge]
        for number in 1..<6 {
            kinds.append(try writer.create(KindDefinition(name: "K\(number)", fields: Gauge.definition.fields)))
        }
        var generator = SplitMix(seed: 11)
        var clients: [(client: RawClient, kinds: Set<UInt16>)] = []
        for round: UInt32 in 1...40 {
            if clients.count < 12 || generator.next() % 3 != 0 {
                let client = try RawClient(server)
                try client.connect(flags: .readOnly)
                clients.append((client, []))
            } else {
                let leaving = clients.remove(at: Int(generator.next() % UInt64(clients.count)))
                try leaving.client.send(Frames.message(Goodbye(), stream: 1))
                try leaving.client.expectEnd()
            }
            for _ in 0..<4 {
                let index = Int(generator.next() % UInt64(clients.count))
                let kind = kinds[Int(generator.next() % UInt64(kinds.count))]
                let client = clients[index].client
                if clients[index].kinds.remove(kind) != nil {
                    #expect(try client.request(Unsubscribe(kind: kind)).opcode == .unsubscribed)
                } else {
                    try client.subscribe(kind, generator.next() & 1 == 0 ? .previous : [])
                    clients[index].kinds.insert(kind)
                }
            }
            for kind in kinds { try writer.send(Frames.assert(kind, id("a"), Gauge.row(round))) }
            try writer.sync()
            for (client, subscribed) in clients {
                var got: Set<UInt16> = []
                for _ in subscribed {
                    let (state, data, _) = try client.receiveState()
                    #expect(got.insert(state.kind).inserted && Gauge.level(data) == round)
                }
                #expect(got == subscribed)
            }
        }
        #expect(
            try stats(writer)["subscriptions"]?["live_now"]?.integer() == clients.reduce(0) { $0 + $1.kinds.count })
        try server.stop()
    }

    // MARK: What is held stays in order

    /// The wrong header is refused when its turn comes; what is well-formed before it is done.
    @Test(arguments: [false, true]) func framesBeforeAWrongOneAreHandled(_ apart: Bool) throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        let (other, _) = try RawClient.withGauge(server)
        let requests = 1_500
        let wrong = [UInt8](repeating: 0xEE, count: FrameHeader.bytes)
        try client.send(
            Frames.write { w in
                w.assert(kind: kind, schema: 1, id: id("first"), data: Gauge.row(1))
                for _ in 0..<requests { w.message(Sync(), stream: 1) }
                for row in 0..<100 { w.assert(kind: kind, schema: 1, id: id(row), data: Gauge.row(2)) }
            } + (apart ? [] : wrong))
        for _ in 0..<requests { #expect(try client.receive(Synced.self).applied == 1) }
        if apart { try client.send(wrong) }
        try client.expectError(.unsupportedVersion, fatal: true)
        try client.expectEnd()
        try other.send(Frames.assert(kind, id("mark"), Gauge.row(1)))
        try other.sync()
        for row in 0..<100 { #expect(Gauge.level(try other.query(kind, id(row)).data) == 2) }
        try server.stop()
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String { self + String(repeating: "x", count: count - utf8.count) }
}
