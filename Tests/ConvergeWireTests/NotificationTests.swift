import ConvergeWire
import Testing

@Suite struct NotificationTests {
    /// kind 1, class 2, schema 3, an id of ones, version 9, sources 0 and 1, everything changed, 2 fixed bytes, "data".
    private func state(type: UInt8, flags: UInt8 = 0, tail: [UInt8] = []) -> [UInt8] {
        [1, 0, 2, 0, type, flags, 3, 0] + [UInt8](repeating: 1, count: 32) + [9, 0, 0, 0, 0, 0, 0, 0]
            + [3, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8) + [2, 0, 0, 0, 4, 0, 0, 0]
            + Array("data".utf8) + tail
    }

    @Test func stateWithAndWithoutPrevious() throws {
        let bytes = state(type: 1)
        let plain = try State(payload: bytes.span.bytes)
        #expect(plain.type == .created && plain.version == 9 && plain.sourceSet == 3 && plain.changed == .max)
        #expect(plain.kind == 1 && plain.klass == 2 && plain.schema == 3 && plain.fixedBytes == 2)
        #expect(plain.data == 72..<76 && plain.previous == nil)
        #expect(plain.id == EntityID(words: (UInt64.max / 255, .max / 255, .max / 255, .max / 255)))

        let payload = state(type: 2, flags: 1, tail: [3, 0, 0, 0] + Array("old".utf8))
        let updated = try State(payload: payload.span.bytes)
        #expect(updated.type == .updated && updated.previous == 80..<83)
        #expect(Array(updated.frame(data: Array("data".utf8), previous: Array("old".utf8)).dropFirst(12)) == payload)
    }

    @Test func stateRefusals() {
        func refusal(_ payload: [UInt8]) -> WireError? {
            do {
                _ = try State(payload: payload.span.bytes)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(state(type: 3)) == nil)
        #expect(refusal(state(type: 4))?.code == .unsupported)
        #expect(refusal(state(type: 1, flags: 1))?.description.contains("'previous' takes 4 bytes, 0 are left") == true)
        let short = state(type: 1, flags: 1, tail: [3, 0, 0, 0, 1, 2])
        #expect(refusal(short)?.description.contains("'previous' as 3, but 2 bytes are left") == true)
        var long = state(type: 1)
        long[64] = 5
        #expect(refusal(long)?.description.contains("'fixed_len' as 5") == true)
    }

    @Test func metadataBehindIsSkipped() throws {
        let payload = state(type: 1, flags: 2, tail: [2, 0] + Array("me".utf8))
        #expect(try State(payload: payload.span.bytes).data == 72..<76)
    }

    @Test func deleted() throws {
        let head: [UInt8] = [1, 0, 2, 0, 1, 1, 3, 0] + [UInt8](repeating: 1, count: 32) + [9, 0, 0, 0, 0, 0, 0, 0]
        let payload = head + [1, 0, 0, 0, 1, 0, 0, 0, 7]
        let deleted = try Deleted(payload: payload.span.bytes)
        #expect(deleted.reason == DeletedReason.retract.rawValue && deleted.version == 9)
        #expect(deleted.fixedBytes == 1 && deleted.previous == 56..<57)
        #expect(Array(deleted.frame(previous: [7]).dropFirst(12)) == payload)
        for count in 0..<payload.count {
            let prefix = Array(payload[..<count])
            #expect(throws: WireError.self) { try Deleted(payload: prefix.span.bytes) }
        }
        let longer = head + [2, 0, 0, 0, 1, 0, 0, 0, 7]
        #expect {
            _ = try Deleted(payload: longer.span.bytes)
        } throws: { error in
            (error as? WireError)?.description.contains("'fixed_len' as 2, above its 'previous_len' of 1") == true
        }
    }
}
