import ConvergeTestSupport
import ConvergeWire
import Testing

/// L1: who may be which source.
@Suite struct SourceTests {
    private func connect(source: UInt8, flags: ConnectFlags = [], session: UInt128 = 0) -> Connect {
        var connect = Connect()
        connect.flags = flags.union(.hasSource)
        connect.source = source
        connect.session = session
        return connect
    }

    @Test func l1AHeldSourceIsRefusedAndAnotherMayBeAskedFor() throws {
        let server = try TestServer()
        let first = try RawClient(server)
        try first.connect(source: 5)
        let second = try RawClient(server)
        try second.expectError(to: connect(source: 5), .sourceClaimed, "source 5", "takeover")
        #expect(try second.request(connect(source: 6), Connected.self).source == 6)
        try first.sync()
        try server.stop()
    }

    @Test(arguments: [ConnectFlags.shared, .takeover, [.shared, .readOnly]])
    func l1SharedAndTakeoverNameASource(_ flags: ConnectFlags) throws {
        let server = try TestServer()
        let client = try RawClient(server)
        var connect = Connect()
        connect.flags = flags
        try client.expectError(to: connect, .malformedMessage, "without has_source")
        try client.connect(source: 3)
        try server.stop()
    }

    @Test func l1SharedNeedsBothToSaySo() throws {
        let server = try TestServer()
        let first = try RawClient(server)
        try first.connect(source: 9, flags: .shared)
        let second = try RawClient(server)
        try second.expectError(to: connect(source: 9), .sourceClaimed)
        try second.connect(source: 9, flags: .shared)
        try first.sync()
        try second.sync()
        try server.stop()
    }

    @Test(arguments: [(UInt128(77), ConnectFlags()), (UInt128(0), ConnectFlags.takeover)])
    func l1TheSameSessionOrTakeoverReplaces(_ session: UInt128, _ flags: ConnectFlags) throws {
        let server = try TestServer()
        let (first, kind) = try RawClient.withGauge(server)
        try first.send(Frames.message(Goodbye()))
        try first.expectEnd()

        let older = try RawClient(server)
        try older.connect(source: 4, session: session)
        try older.send(Frames.assert(kind, id("a"), Gauge.row(1)))
        try older.sync()
        let newer = try RawClient(server)
        try newer.connect(source: 4, flags: flags, session: session)
        let goodbye = try older.receive(ServerGoodbye.self)
        #expect(goodbye.reason == GoodbyeReason.replaced.rawValue)
        #expect(goodbye.message.contains("source 4"))
        try older.expectEnd()
        #expect(try newer.query(kind, id("a")).sourceSet == 1 << 4)
        try server.stop()
    }

    @Test func l1TheLowestFreeSourceIsGiven() throws {
        let server = try TestServer()
        let (first, kind) = try RawClient.withGauge(server)
        let second = try RawClient(server)
        #expect(try second.connect().source == 1)
        try first.send(Frames.assert(kind, id("a"), Gauge.row()))
        try first.sync()
        try first.send(Frames.message(Goodbye()))
        try first.expectEnd()
        // Source 0 has no connection, but still asserts an entity.
        let third = try RawClient(server)
        #expect(try third.connect().source == 2)
        try server.stop()
    }

    @Test func l1AnIDWithWritesInTheOpenWindowIsNotFree() throws {
        let server = try TestServer { $0.windowMilliseconds = 60_000 }
        let (first, kind) = try RawClient.withGauge(server)
        try first.send(Frames.assert(kind, id("a"), Gauge.row()) + Frames.message(Goodbye()))
        try first.expectEnd()
        #expect(try RawClient(server).connect().source == 1)
        try server.stop()
    }

    @Test func l1All64AreTakenInTheEnd() throws {
        let server = try TestServer()
        var clients: [RawClient] = []
        for source in 0..<64 {
            let client = try RawClient(server)
            #expect(try client.connect().source == UInt8(source))
            clients.append(client)
        }
        let another = try RawClient(server)
        try another.expectError(to: Connect(), .noSourceFree, "64")
        try another.expectError(to: connect(source: 64), .invalidSource, "0 to 63")
        #expect(try another.connect(flags: .readOnly).source == Connected.noSource)
        try server.stop()
    }

    @Test func connectIsValidated() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        var connect = Connect()
        connect.versionMin = 2
        connect.versionMax = 3
        try client.expectError(to: connect, .unsupportedVersion, "2 to 3")
        connect = Connect()
        connect.livenessMilliseconds = 999
        try client.expectError(to: connect, .malformedMessage, "liveness_ms", "1,000")
        connect = Connect()
        connect.name = String(repeating: "n", count: 256)
        try client.expectError(to: connect, .valueTooLong, "'name'", "255")
        connect = Connect()
        connect.token = [UInt8](repeating: 1, count: 4_097)
        try client.expectError(to: connect, .valueTooLong, "'token'", "4,096")
        connect = Connect()
        connect.livenessMilliseconds = 4_000
        #expect(try client.request(connect, Connected.self).heartbeatMilliseconds == 2_000)
        try client.expectError(to: connect, .alreadyConnected, "another")
        try server.stop()
    }
}
