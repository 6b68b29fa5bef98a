import ConvergeWire
import Testing

@Suite struct WriteDecoderTests {
    private func batch(_ items: Int) -> [UInt8] {
        var writer = FrameWriter()
        writer.beginBatch()
        for item in 0..<items { writer.retract(kind: 1, id: .int(UInt64(item))) }
        writer.endBatch()
        return Array(writer.bytes.dropFirst(FrameHeader.bytes))
    }

    private func refusal(of payload: [UInt8], as opcode: Opcode, into sink: inout TestSink) throws -> WireError {
        do {
            try decodeWrites(opcode: opcode, payload.span.bytes, payload: 0..<payload.count, into: &sink)
        } catch {
            return error
        }
        Issue.record("the payload was taken")
        throw WireError(.malformedMessage, "")
    }

    @Test func w9MalformedItemLeavesNothing() throws {
        let good = batch(5)
        for item in 0..<5 {
            var sink = TestSink()
            try decodeWrites(opcode: .batch, good.span.bytes, payload: 0..<good.count, into: &sink)
            let before = sink.writes
            var payload = good
            payload[8 + 37 * item + 4] = 0x80  // flags of the item
            let error = try refusal(of: payload, as: .batch, into: &sink)
            #expect(sink.writes == before)
            #expect(error.code == .malformedMessage)
            #expect(error.description.contains("item \(item + 1) of 5"))
            #expect(error.description.contains("flags 128"))
        }
    }

    @Test func w9ItemsThatAreNotThereOrTooMany() throws {
        var sink = TestSink()
        var payload = batch(3)
        payload[4] = 2
        #expect(try refusal(of: payload, as: .batch, into: &sink).description.contains("37 trailing bytes"))
        payload[4] = 4
        #expect(try refusal(of: payload, as: .batch, into: &sink).description.contains("4 items"))
        payload[4] = 3
        payload[8] = 0x0B
        #expect(try refusal(of: payload, as: .batch, into: &sink).description.contains("do not nest"))
        payload[8] = 0x04
        #expect(try refusal(of: payload, as: .batch, into: &sink).description.contains("QUERY"))
        payload[8] = 3
        payload[0] = 1
        #expect(try refusal(of: payload, as: .batch, into: &sink).code == .unsupported)
        #expect(sink.count == 0)
    }

    /// Two items whose bytes are enough for the count, but the second begins behind the end.
    @Test func w9ItemThatBeginsBehindTheEnd() throws {
        var writer = FrameWriter()
        writer.beginBatch()
        writer.assert(kind: 1, schema: 1, id: .int(1), data: [UInt8](repeating: 0, count: 64))
        writer.endBatch()
        var payload = Array(writer.bytes.dropFirst(FrameHeader.bytes))
        payload[4] = 2
        var sink = TestSink()
        #expect(try refusal(of: payload, as: .batch, into: &sink).description.contains("item 2 of 2 is missing"))
        #expect(sink.count == 0)
    }

    @Test func w10MetadataIsRefusedAsUnsupported() throws {
        for name in ["assert", "patch", "retract"] {
            let file = try GoldenFile.load(name)
            var payload = file.payload
            payload[3] = 1
            var sink = TestSink()
            let opcode = try file.header().opcode
            #expect(try refusal(of: payload, as: opcode, into: &sink).code == .unsupported)
            payload[3] = 2
            #expect(try refusal(of: payload, as: opcode, into: &sink).code == .malformedMessage)
            #expect(sink.count == 0)
        }
    }

    @Test func lengthsAreNamed() throws {
        var payload = try GoldenFile.load("assert").payload
        var sink = TestSink()
        payload[39] = 0xFF  // data_len
        let error = try refusal(of: payload, as: .assert, into: &sink)
        #expect(error.description.contains("'data_len'"))
        #expect(error.description.contains("4278190106"))
        #expect(error.description.contains("26 bytes are left"))
    }

    @Test func otherOpcodesAreNoWrites() throws {
        var sink = TestSink()
        #expect(try refusal(of: [], as: .sync, into: &sink).code == .unknownOpcode)
    }

    @Test func offsetsAreTheBuffers() throws {
        let frame = try GoldenFile.load("assert").frame
        let buffer = [UInt8](repeating: 0xEE, count: 100) + frame + [UInt8](repeating: 0xEE, count: 9)
        var sink = TestSink()
        let payload = 112..<100 + frame.count
        try decodeWrites(opcode: .assert, buffer.span.bytes, payload: payload, into: &sink)
        #expect(sink.writes[0].idOffset == 116)
        #expect(sink.writes[0].dataOffset + sink.writes[0].dataBytes == payload.upperBound)
    }
}
