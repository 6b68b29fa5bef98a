import ConvergeWire
import Testing

@Suite struct FrameTests {
    @Test func checksumOfTheStandardExample() {
        #expect(crc16(Array("123456789".utf8)) == 0x31C3)
    }

    @Test func headerChecksumIsTheCRC() {
        var generator = SeededGenerator(state: 1)
        for round in 0..<20_000 {
            // A single bit at first, so that every bit's contribution is seen alone.
            let bits = round < 64 ? 1 << UInt64(round) : generator.next()
            let stream = UInt16(truncatingIfNeeded: bits)
            let opcode = UInt16(truncatingIfNeeded: bits >> 16)
            let length = UInt32(truncatingIfNeeded: bits >> 32)
            let header: [UInt8] = [1, 0] + (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(8 * $0)) }
            guard headerChecksum(stream: stream, opcode: opcode, payloadBytes: length) == crc16(header) else {
                Issue.record("stream \(stream), opcode \(opcode), length \(length)")
                return
            }
        }
    }

    @Test func everyPrefixIsIncomplete() throws {
        let frame = try GoldenFile.load("assert").frame
        for count in 0..<frame.count {
            let prefix = Array(frame[..<count])
            guard case .incomplete(let need) = cutFrame(prefix.span.bytes, at: 0, payloadMax: 1 << 20) else {
                Issue.record("\(count) bytes were taken for a frame")
                return
            }
            #expect(need == (count < 12 ? 12 : frame.count))
        }
    }

    @Test func everyDamagedHeaderBitIsRefused() throws {
        let frame = try GoldenFile.load("assert").frame
        for bit in 0..<96 {
            var damaged = frame
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            guard case .refused(let error) = cutFrame(damaged.span.bytes, at: 0, payloadMax: 1 << 20) else {
                Issue.record("a header with bit \(bit) inverted was taken")
                return
            }
            #expect(error.code == (bit < 8 ? .unsupportedVersion : .malformedFrame))
        }
    }

    @Test func framesAreCutOneBehindTheOther() throws {
        var writer = FrameWriter()
        writer.message(GetKind(name: "Flight"), stream: 32_767)
        let second = writer.count
        writer.message(Sync(), stream: 2)
        let bytes = writer.bytes
        guard case .frame(let first) = cutFrame(bytes.span.bytes, at: 0, payloadMax: 64),
            case .frame(let next) = cutFrame(bytes.span.bytes, at: second, payloadMax: 64)
        else {
            Issue.record("two frames were not cut")
            return
        }
        #expect(first == FrameHeader(stream: 32_767, opcode: .getKind, payloadBytes: 8))
        #expect(next == FrameHeader(stream: 2, opcode: .sync, payloadBytes: 0))
    }

    @Test func theLimitIsThePayloadsLength() {
        var writer = FrameWriter()
        writer.message(Admin(json: [UInt8](repeating: 32, count: 100)), stream: 1)
        let bytes = writer.bytes
        guard case .frame = cutFrame(bytes.span.bytes, at: 0, payloadMax: 100),
            case .refused(let error) = cutFrame(bytes.span.bytes, at: 0, payloadMax: 99)
        else {
            Issue.record("the limit is not kept exactly")
            return
        }
        #expect(error.code == .frameTooLarge)
        #expect(error.description.contains("100") && error.description.contains("99"))
    }
}
