import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Testing

/// Whatever a client sends, it is told what was wrong, and everyone else goes on being served.
@Suite struct HostileInputTests {
    /// A victim's session around whatever `attack` does on a connection of its own.
    private func whileOthersAreServed(_ attack: (TestServer, UInt16) throws -> Void) throws {
        let server = try TestServer()
        let (witness, kind) = try RawClient.withGauge(server)
        try witness.send(Frames.assert(kind, id("w"), Gauge.row(1)))
        try witness.sync()
        try attack(server, kind)
        try witness.send(Frames.assert(kind, id("w"), Gauge.row(2)))
        #expect(try witness.sync().refused == 0)
        #expect(Gauge.level(try witness.query(kind, id("w")).data) == 2)
        try server.stop()
    }

    // MARK: Frames: fatal

    struct BrokenFrame: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let bytes: [UInt8]
        let code: WireErrorCode
        let word: String
    }

    static let broken: [BrokenFrame] = {
        let sound = Frames.message(Sync(), stream: 1)
        func changed(_ index: Int, _ value: UInt8) -> [UInt8] {
            var bytes = sound
            bytes[index] = value
            return bytes
        }
        return [
            BrokenFrame(
                testDescription: "HTTP", bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), code: .unsupportedVersion,
                word: "this is HTTP"),
            BrokenFrame(
                testDescription: "garbage", bytes: Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), code: .unsupportedVersion,
                word: "version"),
            BrokenFrame(testDescription: "version 2", bytes: changed(0, 2), code: .unsupportedVersion, word: "version"),
            BrokenFrame(testDescription: "flags", bytes: changed(1, 1), code: .malformedFrame, word: "flags"),
            BrokenFrame(testDescription: "CRC", bytes: changed(10, sound[10] ^ 1), code: .malformedFrame, word: "CRC"),
            BrokenFrame(
                testDescription: "too large", bytes: Frames.header(.assert, payloadBytes: WireLimits.frameBytes),
                code: .frameTooLarge,
                word: "smaller frames"),
        ]
    }()

    @Test(arguments: broken) func aBrokenFrameIsFatal(_ frame: BrokenFrame) throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            try client.send(frame.bytes)
            try client.expectError(frame.code, fatal: true, frame.word)
            try client.expectEnd()
        }
    }

    @Test func beforeConnectAFrameHas64KiBAtMost() throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.send(Frames.header(.connect, payloadBytes: WireLimits.frameBytesBeforeConnect))
            try client.expectError(.frameTooLarge, fatal: true, "65524")
            try client.expectEnd()
        }
    }

    @Test func beforeConnectNothingElseIsAnswered() throws {
        try whileOthersAreServed { server, kind in
            for frame in [Frames.message(ListKinds(), stream: 3), Frames.assert(kind, id("a"), Gauge.row())] {
                let client = try RawClient(server)
                try client.send(frame)
                try client.expectError(.notConnected, fatal: true, "send CONNECT first")
                try client.expectEnd()
            }
        }
    }

    @Test func whoDoesNotGreetIsClosed() throws {
        let server = try TestServer { $0.greetingMilliseconds = 20 }
        let client = try RawClient(server)
        try client.expectError(.timedOut, fatal: true, "20 ms")
        try client.expectEnd()
        try server.stop()
    }

    // MARK: Sound frames with wrong contents: told, and going on

    @Test func anUnknownOpcodeIsToldAndTheConnectionGoesOn() throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            for stream: UInt16 in [0, 9] {
                try client.send(Frames.frame(Opcode(rawValue: 0x77), stream: stream, payload: [1, 2, 3]))
                let frame = try client.receive()
                let error = try frame.decode(ErrorMessage.self)
                #expect(frame.stream == stream)
                #expect(error.code == WireErrorCode.unknownOpcode.rawValue && !error.fatal && error.opcode == 0x77)
            }
            try client.sync()
        }
    }

    @Test(arguments: [0, 32_768, 65_535] as [UInt16]) func aRequestNeedsAStreamIdOfItsOwn(_ stream: UInt16) throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            let requests = [
                Frames.message(Heartbeat(opaque: 1), stream: stream), Frames.message(Sync(), stream: stream),
                Frames.message(Query(kind: kind, id: id("w")), stream: stream),
                Frames.message(Subscribe(kind: kind), stream: stream),
                Frames.message(ListKinds(), stream: stream),
            ]
            for request in requests {
                try client.send(request)
                let frame = try client.receive()
                #expect(frame.stream == 0)
                let error = try frame.decode(ErrorMessage.self)
                #expect(error.code == WireErrorCode.malformedMessage.rawValue && !error.fatal)
                #expect(error.message.contains("stream id \(stream): requests have 1 to 32767"))
            }
            #expect(try client.request(Heartbeat(opaque: 2), HeartbeatAck.self).opaque == 2)
        }
    }

    @Test func connectMayComeWithoutAStreamIdButNotWithAReservedOne() throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.send(Frames.message(Connect(), stream: 40_000))
            try client.expectError(.malformedMessage, "stream id 40000")
            try client.send(Frames.message(Connect(), stream: 0))
            _ = try client.receive(Connected.self)
            try client.sync()
        }
    }

    @Test(arguments: [1, 40_000] as [UInt16]) func aWriteWithAStreamIdIsMalformed(_ stream: UInt16) throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            var write = Frames.assert(kind, id("a"), Gauge.row(1))
            write = Frames.frame(.assert, stream: stream, payload: Array(write.dropFirst(FrameHeader.bytes)))
            try client.send(Frames.assert(kind, id("b"), Gauge.row(1)) + write)
            #expect(try client.expectError(.malformedMessage, "stream id \(stream)", "stream id 0").write == 2)
            let synced = try client.sync()
            #expect(synced.applied == 1 && synced.refused == 1)
            #expect(try client.query(kind, id("a")).status == QueryResult.Status.notFound.rawValue)
        }
    }

    @Test func anAdminDocumentIsBounded() throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            let document = Array(#"{"command":"stats"}"#.utf8)
            let fill = [UInt8](repeating: 32, count: (64 << 10) - document.count)
            #expect(try client.request(Admin(json: document + fill)).opcode == .adminReply)
            try client.expectError(to: Admin(json: document + fill + [32]), .limitReached, "65536", "65537")
        }
    }

    @Test func aKindIsRegisteredWithSchemaVersionOne() throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            for definition in [Gauge.definition, KindDefinition(name: "New", fields: Gauge.definition.fields)] {
                var second = definition
                second.schema = 2
                try client.expectError(
                    to: CreateKind(definition: second.encoded()), .invalidDefinition, "register it with 1")
            }
            #expect(try client.request(ListKinds(), KindList.self).kinds.map(\.kind) == [kind])
        }
    }

    @Test(arguments: [Opcode.sourceEpochBegin, .sourceEpochEnd, .subscribeEvents, .dropKind])
    func aReservedOpcodeIsUnsupported(_ opcode: Opcode) throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            try client.send(Frames.frame(opcode, stream: 5))
            try client.expectError(.unsupported, "not supported by this server version yet")
            try client.sync()
        }
    }

    @Test(arguments: [Opcode.query, .subscribe, .unsubscribe, .heartbeat, .getKind, .goodbye, .sync])
    func aRequestOfTheWrongLengthIsMalformed(_ opcode: Opcode) throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            let tooLong: [UInt8] = opcode == .sync ? [0] : []
            try client.send(Frames.frame(opcode, stream: 4, payload: tooLong))
            try client.expectError(.malformedMessage, opcode.name ?? "")
            try client.sync()
        }
    }

    @Test func w9AMalformedBatchAppliesNothingAndCountsOneWrite() throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            var batch = Frames.write {
                $0.beginBatch()
                $0.assert(kind: kind, schema: 1, id: id("b1"), data: Gauge.row(1))
                $0.assert(kind: kind, schema: 1, id: id("b2"), data: Gauge.row(1))
                $0.endBatch()
            }
            // The second item's opcode.
            batch[FrameHeader.bytes + 8 + 1 + 40 + Gauge.layout.fixedBytes] = 0x70
            try client.send(batch)
            let error = try client.expectError(.malformedMessage, "BATCH item 2 of 2")
            #expect(error.write == 1)
            let synced = try client.sync()
            #expect(synced.applied == 0 && synced.refused == 1)
            #expect(try client.query(kind, id("b1")).status == QueryResult.Status.notFound.rawValue)
            try client.send(Frames.assert(kind, id("b1"), [1]))
            #expect(try client.expectError(.wrongLength).write == 2)
        }
    }

    @Test func aMalformedWriteIsRefusedWithItsOrdinal() throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            try client.send(Frames.assert(kind, id("a"), Gauge.row()))
            try client.send(Frames.frame(.assert, payload: [1, 0, 1]))
            #expect(try client.expectError(.malformedMessage, "cut off").write == 2)
            let synced = try client.sync()
            #expect(synced.applied == 1 && synced.refused == 1)
        }
    }

    // MARK: Kinds

    struct BadKind: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let definition: KindDefinition
        let code: WireErrorCode
        let word: String
    }

    static let badKinds: [BadKind] = [
        BadKind(
            testDescription: "65 fields",
            definition: KindDefinition(
                name: "Wide", fields: (0..<65).map { FieldDefinition(name: "f\($0)", type: .u8) }),
            code: .limitReached, word: "64"),
        BadKind(
            testDescription: "no field", definition: KindDefinition(name: "Bare", fields: []), code: .invalidDefinition,
            word: "field"),
        BadKind(
            testDescription: "reserved name",
            definition: KindDefinition(name: "convergedb_x", fields: [FieldDefinition(name: "a", type: .u8)]),
            code: .reservedName,
            word: "convergedb_"),
        BadKind(
            testDescription: "another shape",
            definition: KindDefinition(name: "Gauge", fields: [FieldDefinition(name: "level", type: .u64)]),
            code: .schemaConflict,
            word: "level"),
    ]

    @Test(arguments: badKinds) func k1AKindThatCannotBeIsRefused(_ bad: BadKind) throws {
        try whileOthersAreServed { server, kind in
            let client = try RawClient(server)
            try client.connect()
            try client.expectError(to: CreateKind(definition: bad.definition.encoded()), bad.code, bad.word)
            #expect(try client.request(ListKinds(), KindList.self).kinds.map(\.kind) == [kind])
        }
    }

    @Test func aDefinitionOfGarbageIsRefused() throws {
        try whileOthersAreServed { server, _ in
            let client = try RawClient(server)
            try client.connect()
            let definition = Gauge.definition.encoded()
            for length in 0..<definition.count {
                try client.expectError(to: CreateKind(definition: Array(definition[..<length])), .invalidDefinition)
            }
        }
    }

    // MARK: Bytes from anywhere

    @Test func noBytesWhateverBringTheServerDown() throws {
        try whileOthersAreServed { server, kind in
            var generator = SplitMix(seed: 20_131_301)
            for _ in 0..<200 {
                let client = try RawClient(server)
                if generator.next() & 1 == 0 { try client.connect() }
                var bytes =
                    Frames.assert(kind, id("x"), Gauge.row(3))
                    + Frames.message(Query(kind: kind, id: id("x")), stream: 1)
                for _ in 0..<(1 + generator.next() % 6) {
                    bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
                }
                try client.send(bytes)
                if generator.next() & 1 == 0 { client.reset() }
            }
        }
    }
}

/// A small generator with a seed, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
