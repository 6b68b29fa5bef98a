import ConvergeWire
import Testing

@Suite struct MessageTests {
    private func roundTrip<M: Message & Equatable>(_ message: M) throws {
        var writer = FrameWriter()
        writer.message(message, stream: 9)
        let payload = Array(writer.bytes.dropFirst(FrameHeader.bytes))
        #expect(payload.count == message.payloadBytes)
        #expect(try M(payload: payload.span.bytes) == message)
    }

    @Test func roundTrips() throws {
        var generator = SeededGenerator(state: 3)
        func bytes(_ max: Int) -> [UInt8] {
            (0..<Int.random(in: 0...max, using: &generator)).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
        }
        func text() -> String {
            String(
                String.UnicodeScalarView(
                    (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                        Unicode.Scalar(UInt32.random(in: 0..<0xD800, using: &generator))!
                    }))
        }
        func id() -> EntityID {
            EntityID(words: (generator.next(), generator.next(), generator.next(), generator.next()))
        }
        for _ in 0..<200 {
            var connect = Connect()
            connect.versionMax = UInt8.random(in: 1...255, using: &generator)
            connect.flags = ConnectFlags(rawValue: UInt16.random(in: 0...15, using: &generator))
            connect.features = generator.next()
            connect.session = UInt128(generator.next()) << 64 | UInt128(generator.next())
            connect.source = UInt8.random(in: 0...63, using: &generator)
            (connect.name, connect.token, connect.client) = (text(), bytes(300), text())
            try roundTrip(connect)

            var result = QueryResult()
            (result.status, result.schema, result.version, result.sourceSet) = (
                1, 3, generator.next(), generator.next()
            )
            result.data = bytes(500)
            result.fixedBytes = UInt32(result.data.count / 2)
            try roundTrip(result)

            try roundTrip(GetKind(name: text()))
            try roundTrip(ListKinds(after: 65_535))
            try roundTrip(KindList(kinds: (0..<5).map { KindInfo(kind: $0, definition: bytes(90)) }))
            try roundTrip(Query(kind: UInt16.random(in: 0...UInt16.max, using: &generator), id: id()))
            try roundTrip(Synced(applied: generator.next(), refused: generator.next(), token: bytes(60)))
            try roundTrip(Subscribe(kind: 7, flags: .conflate, buffer: 9, interest: generator.next(), token: bytes(60)))
            try roundTrip(
                ErrorMessage(
                    code: .wrongLength, opcode: 2, kind: 9, repeated: 4, write: generator.next(), id: id(),
                    message: text()))
        }
    }

    @Test func sentencesAreCutBetweenScalars() throws {
        let long = "x" + String(repeating: "ä", count: 2_000)
        var writer = FrameWriter()
        writer.message(ErrorMessage(code: .unknownKind, opcode: 4, message: long))
        let payload = Array(writer.bytes.dropFirst(FrameHeader.bytes))
        let decoded = try ErrorMessage(payload: payload.span.bytes)
        #expect(decoded.message.utf8.count == 1023)
        #expect(long.hasPrefix(decoded.message))
    }

    @Test func versionRangeTheWrongWayRound() {
        var connect = Connect()
        connect.versionMin = 2
        var writer = FrameWriter()
        writer.message(connect)
        let payload = Array(writer.bytes.dropFirst(FrameHeader.bytes))
        #expect(throws: WireError.self) { try Connect(payload: payload.span.bytes) }
    }

    @Test func codesHaveNamesOfTheirOwn() {
        let names = WireErrorCode.allCases.map(\.description)
        #expect(Set(names).count == 32)
        #expect(WireErrorCode.allCases.map(\.rawValue) == Array(1...32))
        #expect(names.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "_" || $0.isNumber } })
    }

    @Test func opcodesSayTheirNames() {
        #expect("\(Opcode.assert)" == "ASSERT (0x02)")
        #expect("\(Opcode(rawValue: 0x0F))" == "opcode 0x0F")
        #expect("\(Opcode(rawValue: 0x1234))" == "opcode 0x1234")
    }

    @Test func r4Tokens() throws {
        let token = Token(lineage: .max, sequences: [1, .max, 3])
        #expect(try Token(bytes: token.bytes) == token)
        for count in 0..<token.bytes.count {
            #expect(throws: WireError.self) { try Token(bytes: token.bytes[..<count]) }
        }
        #expect(throws: WireError.self) { try Token(bytes: token.bytes + [0]) }
        var newer = token.bytes
        newer[0] = 2
        #expect(throws: WireError.self) { try Token(bytes: newer) }
        #expect(throws: WireError.self) { try Token(bytes: [1, 0, 0, 0] + [UInt8](repeating: 0, count: 8)) }
    }

    @Test func writersBytesGoOnBehindAFullBuffer() {
        var writer = FrameWriter()
        for index in 0..<10_000 { writer.assert(kind: 1, schema: 1, id: .int(UInt64(index)), data: [1, 2, 3]) }
        #expect(writer.count == 10_000 * 55)
        writer.removeAll()
        #expect(writer.count == 0 && writer.batchBytes == 0)
        writer.beginBatch()
        #expect(writer.batchBytes == 20)
        writer.retract(kind: 1, id: .int(0))
        #expect(writer.batchBytes == 57 && writer.batchItems == 1)
        writer.endBatch()
        #expect(writer.count == 57 && writer.batchItems == 0)
    }
}
