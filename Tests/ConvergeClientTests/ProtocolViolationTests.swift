import ConvergeClient
import ConvergeWire
import Testing

/// A server that breaks the protocol gets an error and a closed connection; the client's program goes on.
@Suite struct ProtocolViolationTests {
    /// What a peer sends instead of an answer to CONNECT.
    static let greetings: [(name: String, bytes: [UInt8])] = [
        ("text", Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)),
        ("zeros", [UInt8](repeating: 0, count: 64)),
        ("a wrong CRC", frame(Connected()).enumerated().map { $0.offset == 10 ? ~$0.element : $0.element }),
        ("another version of the header", [2] + frame(Connected()).dropFirst()),
        ("a version that was not offered", frame(connected { $0.version = 9 })),
        ("CONNECTED cut off", header(.connected, 4) + [1, 0, 0, 0]),
        ("a frame of 4 GiB", header(.connected, Int(UInt32.max))),
        ("a notification", Sample.state(EntityID.int(1))),
        ("a notification without a kind", header(.state, 1) + [0]),
    ]

    @Test(arguments: greetings.indices) func aGreetingThatIsNone(_ index: Int) async throws {
        let bytes = Self.greetings[index].bytes
        let peer = try FakePeer { try $0.send(bytes) }
        let error = await #expect(throws: ClientError.self) { try await peer.connect() }
        let kind = try #require(error).kind
        #expect(kind == .cannotConnect || kind == .protocolViolation, "\(Self.greetings[index].name): \(error!)")
    }

    /// What a peer sends in answer to a SYNC on stream 1.
    static let answers: [(name: String, bytes: [UInt8])] = [
        ("another opcode", frame(HeartbeatAck(opaque: 1), stream: 1)),
        ("a stream on which nothing was asked", frame(syncedAnswer(), stream: 77)),
        ("a second CONNECTED", frame(Connected())),
        ("SYNCED cut off", header(.synced, 3, stream: 1) + [0, 0, 0]),
        ("a token longer than the frame", header(.synced, 18, stream: 1) + [UInt8](repeating: 0xFF, count: 18)),
        ("ERROR cut off", header(.error, 2, stream: 1) + [1, 0]),
        (
            "ERROR that is not UTF-8",
            header(.error, 56, stream: 1) + [UInt8](repeating: 0, count: 52) + [2, 0, 0xC3, 0x28]
        ),
        ("garbage", Array("garbage, and more of it".utf8)),
    ]

    @Test(arguments: answers.indices) func anAnswerThatIsNone(_ index: Int) async throws {
        let bytes = Self.answers[index].bytes
        let peer = try FakePeer { connection in
            try connection.greet()
            _ = try connection.await(.sync)
            try connection.send(bytes)
            _ = try connection.receive()
        }
        let client = try await peer.connect()
        let error = await #expect(throws: ClientError.self) { try await client.sync() }
        #expect(error?.kind == .protocolViolation, "\(Self.answers[index].name): \(error!)")
        await client.close()
        await #expect(throws: ClientError.self) { try await client.ping() }
    }

    /// What a peer sends as a notification of kind 1.
    static let notifications: [(name: String, bytes: [UInt8])] = [
        ("a row that is too short", Sample.state(EntityID.int(1), data: [1, 2, 3])),
        (
            "a row of a string that is longer than its field",
            Sample.state(EntityID.int(1), data: [1, 0, 0, 0, 0xFF, 0xFF] + [UInt8](repeating: 0x41, count: 8))
        ),
        (
            "a row of a string that is not UTF-8",
            Sample.state(EntityID.int(1), data: [1, 0, 0, 0, 1, 0, 0xFE] + [UInt8](repeating: 0, count: 7))
        ),
        (
            "a row that is too long",
            Sample.state(EntityID.int(1), data: [UInt8](repeating: 0, count: 15), fixedBytes: 14)
        ),
        ("STATE cut off", header(.state, 20) + [1, 0] + [UInt8](repeating: 1, count: 18)),
        ("DELETED cut off", header(.deleted, 20) + [1, 0] + [UInt8](repeating: 1, count: 18)),
        ("BOOTSTRAP_END cut off", header(.bootstrapEnd, 5) + [1, 0, 1, 0, 0]),
        ("STATE of an unknown type", header(.state, 86) + [1, 0, 1, 0, 9] + [UInt8](repeating: 0, count: 81)),
    ]

    @Test(arguments: notifications.indices) func aNotificationThatIsNone(_ index: Int) async throws {
        let bytes = Self.notifications[index].bytes
        let peer = try FakePeer { connection in
            try connection.greetWithSubscription()
            try connection.send(Sample.state(EntityID.int(7)) + bytes)
            while true { _ = try connection.receive() }
        }
        let client = try await peer.connect()
        let subscription = try await client.subscribe(client.kind(named: "Sample"))
        var notifications = subscription.makeAsyncIterator()
        guard case .change(let change)? = try await notifications.next() else {
            Issue.record("the valid one before it is lost")
            return
        }
        #expect(change.id == EntityID.int(7))
        let error = await #expect(throws: ClientError.self) { try await notifications.next() }
        #expect(error?.kind == .protocolViolation, "\(Self.notifications[index].name): \(error!)")
    }

    @Test func aKindThatIsNone() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            try connection.send(KindInfo(kind: 1, definition: [9, 9, 9]), stream: connection.await(.getKind))
        }
        let client = try await peer.connect()
        let error = await #expect(throws: ClientError.self) { try await client.kind(named: "Sample") }
        #expect(error?.kind == .protocolViolation)
    }

    @Test func unknownFramesAndCodesAreNoViolation() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            let stream = try connection.await(.sync)
            try connection.send(header(Opcode(rawValue: 0xEE), 3) + [1, 2, 3])
            try connection.send(header(.progress, 2) + [1, 0])
            var error = ErrorMessage(code: .notOwner, opcode: 8, write: 3, message: "from the future")
            error.code = 9_999
            try connection.send(error)
            try connection.send(syncedAnswer(), stream: stream)
            _ = try connection.receive()
        }
        let client = try await peer.connect()
        let synced = try await client.sync()
        #expect(synced.applied == 1)
        #expect(synced.refusals.first?.write == 3)
        #expect(synced.refusals.first?.code == nil)
        #expect(synced.refusals.first?.message == "from the future")
    }

    /// The server would let the connection ask for another source; this client does not, so it does not wait either.
    @Test func l1ARefusedConnectEndsAtOnce() async throws {
        for code: WireErrorCode in [.sourceClaimed, .noSourceFree] {
            let peer = try FakePeer { connection in
                _ = try connection.await(.connect)
                try connection.send(ErrorMessage(code: code, opcode: 1, fatal: false, message: "ask for another"))
                while true { _ = try connection.receive() }
            }
            let error = await #expect(throws: ClientError.self) {
                try await peer.connect { $0.timeout = .seconds(600) }
            }
            #expect(error?.kind == .refused(code))
            #expect(error?.description == "ask for another")
        }
    }

    @Test func aFatalErrorIsTheReasonThatIsGiven() async throws {
        let peer = try FakePeer { connection in
            _ = try connection.await(.connect)
            try connection.send(
                ErrorMessage(code: .sourceClaimed, opcode: 1, fatal: true, message: "source 3 is claimed"))
            connection.close()
        }
        let error = await #expect(throws: ClientError.self) { try await peer.connect { $0.source = 3 } }
        #expect(error?.kind == .refused(.sourceClaimed))
        #expect(error?.description == "source 3 is claimed")
    }

    @Test func theServersGoodbyeIsTheReasonThatIsGiven() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            _ = try connection.await(.sync)
            try connection.send(ServerGoodbye(reason: .slowReader, message: "you read too slowly"))
            connection.close()
        }
        let client = try await peer.connect()
        let error = await #expect(throws: ClientError.self) { try await client.sync() }
        #expect(error?.kind == .closed)
        #expect(error?.description.contains("you read too slowly") == true)
    }

    @Test func aPeerThatClosesAtOnceIsNoServer() async throws {
        let peer = try FakePeer { $0.close() }
        let error = await #expect(throws: ClientError.self) { try await peer.connect() }
        #expect(error?.kind == .cannotConnect)
    }
}

private func syncedAnswer() -> Synced {
    Synced(applied: 1, refused: 0, token: [])
}

private func connected(_ change: (inout Connected) -> Void) -> Connected {
    var connected = Connected()
    change(&connected)
    return connected
}

private func frame(_ message: some Message, stream: UInt16 = 0) -> [UInt8] {
    var writer = FrameWriter()
    writer.message(message, stream: stream)
    return writer.bytes
}
