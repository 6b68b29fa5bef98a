import ConvergeTestSupport
import ConvergeWire
import Testing

/// The whole path once: register, assert, query, subscribe.
@Suite struct FirstPathTests {
    @Test func w1AnAssertedRowIsQueriedAndNotified() throws {
        let server = try TestServer()
        let (writer, kind) = try RawClient.withGauge(server)
        let (reader, _) = try RawClient.withGauge(server)
        try reader.subscribe(kind)

        try writer.send(Frames.assert(kind, id("a"), Gauge.row(7, open: true, label: "hot")))
        let synced = try writer.sync()
        #expect(synced.applied == 1 && synced.refused == 0)

        let created = try reader.receiveState()
        #expect(created.state.type == .created && created.state.version == 1)
        #expect(created.state.id == id("a"))
        #expect(created.state.sourceSet == 1)
        #expect(created.data == Gauge.row(7, open: true, label: "hot"))

        let result = try writer.query(kind, id("a"))
        #expect(result.status == QueryResult.Status.alive.rawValue)
        #expect(result.data == Gauge.row(7, open: true, label: "hot"))
        #expect(try writer.query(kind, id("b")).status == QueryResult.Status.notFound.rawValue)

        try writer.send(Frames.retract(kind, id("a")))
        try writer.sync()
        let frame = try reader.receive()
        #expect(frame.opcode == .deleted)
        #expect(try Deleted(payload: frame.payload.span.bytes).version == 2)
        #expect(try writer.query(kind, id("a")).status == QueryResult.Status.tombstone.rawValue)
        try server.stop()
    }
}
