import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Testing

@testable import ConvergeServer

/// How connections end: a peer that ends its side is answered, and a server that stops waits for nobody without need.
@Suite struct EndTests {
    @Test func aBarrierBeforeTheEndIsAnswered() throws {
        let server = try TestServer { $0.windowMilliseconds = 200 }
        let (witness, kind) = try RawClient.withGauge(server)
        let client = try RawClient(server)
        try client.connect()
        try client.send(
            Frames.write { w in
                w.assert(kind: kind, schema: 1, id: id("a"), data: Gauge.row(7))
                w.message(Query(kind: kind, flags: .afterMyWrites, id: id("a")), stream: 1)
                w.message(Sync(), stream: 2)
            })
        client.endSending()
        #expect(Gauge.level(try client.receive(QueryResult.self).data) == 7)
        #expect(try client.receive(Synced.self).applied == 1)
        try client.expectEnd()
        while try stats(witness)["net"]?["connections_now"]?.integer() != 1 {}
        try server.stop()
    }

    /// Not after the 10 s that the transport gives a server that does not close.
    @Test func whoEndsWithNothingAskedIsClosedAtOnce() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(Frames.assert(kind, id("a"), Gauge.row(7)))
        let start = ContinuousClock.now
        client.endSending()
        try client.expectEnd()
        #expect(start.duration(to: .now) < .seconds(5))
        try server.stop()
    }

    /// More than a turn's share: what is held when the end comes is answered too.
    @Test func requestsThatAreHeldAtTheEndAreAnswered() throws {
        let server = try TestServer()
        let (client, _) = try RawClient.withGauge(server)
        let requests = 3_000
        try client.send(
            Frames.write { w in for number in 0..<requests { w.message(Heartbeat(opaque: UInt64(number)), stream: 1) } }
        )
        client.endSending()
        for number in 0..<requests { #expect(try client.receive(HeartbeatAck.self).opaque == UInt64(number)) }
        try client.expectEnd()
        try server.stop()
    }

    @Test func aPeerThatDoesNothingDoesNotHoldUpAShutdown() throws {
        let server = try TestServer { $0.lingerMilliseconds = 30_000 }
        let (idle, _) = try RawClient.withGauge(server)
        let clock = ContinuousClock()
        let start = clock.now
        try server.stop()
        // 4.5 s if it were waited for.
        #expect(clock.now - start < .seconds(2))
        #expect(try idle.receive(ServerGoodbye.self).reason == GoodbyeReason.shutdown.rawValue)
        try idle.expectEnd()
    }

    /// What is under way has the whole time of a shutdown, not only the linger.
    @Test func aDownloadUnderWayIsFinished() throws {
        let server = try TestServer { $0.lingerMilliseconds = 50 }
        let (client, _) = try RawClient.withGauge(server, receiveBuffer: 4 << 10)
        let wide = KindDefinition(
            name: "Wide", fields: (0..<8).map { .init(name: "f\($0)", type: .bytes, max: 65_535) })
        let kind = try client.create(wide)
        try client.send(Frames.patch(kind, id("w"), mask: 0, []))
        try client.sync()
        let (witness, _) = try RawClient.withGauge(server)
        try client.send(Frames.write { w in for _ in 0..<40 { w.message(Query(kind: kind, id: id("w")), stream: 1) } })
        // The kernel has as much as it takes, and the rest stays with the server.
        var full = 0
        while full < 100 {
            let queued: Int = try stats(witness)["net"]?["queued_bytes_now"]?.integer() ?? 0
            full = queued > 0 ? full + 1 : 0
        }
        server.beginStop()
        let clock = ContinuousClock()
        let start = clock.now
        while clock.now - start < .milliseconds(500) {}
        var frames = try client.receiveAll()
        #expect(frames.popLast()?.opcode == .serverGoodbye)
        // Those that were answered before, each whole.
        #expect(frames.count > 1)
        for frame in frames { #expect(try frame.decode(QueryResult.self).data.count == 8 * 65_537) }
        try server.stop()
    }
}
