import ConvergeTestSupport
import ConvergeWire
import Testing

@testable import ConvergeServer

/// Queries that come together are answered together, and nobody can tell.
@Suite struct QueryGroupTests {
    /// What the server said to a stream, shortly.
    private func answer(_ frame: ReceivedFrame) throws -> String {
        switch frame.opcode {
        case .queryResult:
            let result = try frame.decode(QueryResult.self)
            return result.data.isEmpty ? "\(frame.stream) none" : "\(frame.stream) \(Gauge.level(result.data))"
        case .error: return "\(frame.stream) error \(try frame.decode(ErrorMessage.self).code)"
        default: return "\(frame.stream) \(frame.opcode)"
        }
    }

    @Test func r1AGroupWithWhatCannotBeInIt() throws {
        let server = try TestServer { $0.windowMilliseconds = 500 }
        let (asker, kind) = try RawClient.withGauge(server)
        for row in 1...3 { try asker.send(Frames.assert(kind, id(row), Gauge.row(UInt32(row)))) }
        try asker.sync()
        let unknown = WireErrorCode.unknownKind.rawValue
        let malformed = WireErrorCode.malformedMessage.rawValue
        let query = { (row: Int, flags: QueryFlags) in Query(kind: kind, flags: flags, id: id(row)) }
        try asker.send(
            Frames.write { w in
                w.message(query(1, []), stream: 1)
                w.message(Query(kind: 999, id: id(1)), stream: 2)
                w.message(query(2, .afterMyWrites), stream: 3)  // nothing of its own is pending: no wait
                w.message(query(3, QueryFlags(rawValue: 2)), stream: 4)
                w.message(query(3, []), stream: 5)
                w.assert(kind: kind, schema: 1, id: id(1), data: Gauge.row(101))
                w.message(query(1, .afterMyWrites), stream: 6)  // waits
                w.message(query(1, []), stream: 7)
                w.message(Query(kind: 0, id: id(1)), stream: 8)
                w.message(query(9, []), stream: 9)
                w.message(query(2, []), stream: 0)
                w.message(query(2, []), stream: 10)
                w.message(Heartbeat(opaque: 1), stream: 11)
                w.message(query(3, []), stream: 12)
            } + Frames.frame(.query, stream: 13, payload: [UInt8](repeating: 0, count: 37))
                + Frames.message(query(1, []), stream: 14))
        let expected = [
            "1 1", "2 error \(unknown)", "3 2", "4 error \(malformed)", "5 3", "7 1", "8 error \(unknown)", "9 none",
            "0 error \(malformed)", "10 2", "11 \(Opcode.heartbeatAck)", "12 3", "13 error \(malformed)", "14 1",
            "6 101",
        ]
        let answers = try expected.indices.map { _ in try answer(asker.receive()) }
        // Those of other shards come when they come.
        #expect(TestServer.shards == 1 ? answers == expected : answers.sorted() == expected.sorted())
        try server.stop()
    }

    /// The share of a turn ends in the middle of a group, and again and again.
    @Test func moreThanATurnsShareIsAnsweredInOrder() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        for row in 0..<64 { try client.send(Frames.assert(kind, id(row), Gauge.row(UInt32(row)))) }
        try client.sync()
        let queries = 5_000
        try client.send(
            Frames.write { w in
                for number in 1...queries {
                    // 7 is no divisor of the share: groups end at another place each time.
                    if number % 7 == 0 { w.message(Heartbeat(opaque: UInt64(number)), stream: UInt16(number)) }
                    w.message(Query(kind: kind, id: id(number % 64)), stream: UInt16(number))
                }
            })
        var heartbeats = 0
        // Answers of different partitions may overtake each other: behind a heartbeat's none is left of those before it.
        var asked = Set<String>()
        for number in 1...queries {
            if number % 7 == 0, TestServer.shards == 1 {
                for _ in asked { try #require(try asked.contains(answer(client.receive()))) }
                asked.removeAll()
                heartbeats += 1
                #expect(try client.receive(HeartbeatAck.self).opaque == UInt64(number))
            }
            asked.insert("\(number) \(number % 64)")
        }
        while !asked.isEmpty {
            let frame = try client.receive()
            if frame.opcode == .heartbeatAck {
                heartbeats += 1
            } else {
                try #require(asked.remove(try answer(frame)) != nil)
            }
        }
        while heartbeats < queries / 7 {
            _ = try client.receive(HeartbeatAck.self)
            heartbeats += 1
        }
        try server.stop()
    }

    /// Nobody reads the answers: the queue's bound is reached between a large row's answers, and small ones stand among them.
    @Test func aFullQueueEndsAGroup() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        let (other, _) = try RawClient.withGauge(server)
        var wide = Gauge.definition
        wide.name = "Wide"
        wide.fields = (0..<2).map { .init(name: "f\($0)", type: .bytes, max: 5_000) }
        let wideKind = try client.create(wide)
        try client.send(Frames.patch(wideKind, id("w"), mask: 0, []))
        try client.send(Frames.assert(kind, id("a"), Gauge.row(4)))
        try client.sync()
        let queries = 1_000
        try client.send(
            Frames.write { w in
                for number in 1...queries {
                    w.message(
                        Query(kind: number % 3 == 0 ? kind : wideKind, id: id(number % 3 == 0 ? "a" : "w")),
                        stream: UInt16(number))
                }
            })
        try other.sync()
        #expect((try stats(other)["net"]?["queued_bytes_peak"]?.integer() ?? .max) < 2 << 20)
        var last = [0, 0]
        for _ in 1...queries {
            let frame = try client.receive()
            let number = Int(frame.stream)
            let isSmall = number % 3 == 0
            #expect(try frame.decode(QueryResult.self).data.count == (isSmall ? 25 : 10_004))
            // The two entities may be of different partitions: answers of one come in their order.
            try #require(number > last[isSmall ? 0 : 1])
            last[isSmall ? 0 : 1] = number
        }
        #expect(last == [queries / 3 * 3, queries])
        try server.stop()
    }

    @Test func whatAGroupMayTake() {
        func taken(cost: Int, bytes: Int, frame: Int) -> Int {
            var bounds = QueryBounds(cost: cost, bytes: bytes)
            var count = 0
            while count < 1_000, bounds.take(frame) { count += 1 }
            return count
        }
        #expect(taken(cost: 5, bytes: 1 << 20, frame: 100) == 5)
        #expect(taken(cost: 0, bytes: -1, frame: 100) == 1)
        #expect(taken(cost: 1_000, bytes: 0, frame: 100) == 1)
        #expect(taken(cost: 1_000, bytes: 250, frame: 100) == 3)
        #expect(taken(cost: 1_000, bytes: 1 << 20, frame: 1 << 10) == ServerLimits.queryGroupBytes >> 10)
        #expect(taken(cost: 1_000, bytes: 1 << 20, frame: 1 << 20) == 1)
    }
}
