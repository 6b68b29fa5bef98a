import ConvergeWire
import Testing

@Suite struct HostileInputTests {
    /// Fields that take the rest of the payload cannot see that it is cut off.
    private let openEnded: [Opcode: Int] = [.createKind: 0, .admin: 0, .adminReply: 0, .kindInfo: 2]

    @Test(arguments: GoldenFile.names().filter { !$0.hasPrefix("bad_") })
    func everyTruncationIsRefused(name: String) throws {
        let file = try GoldenFile.load(name)
        let opcode = try file.header().opcode
        for count in 0..<(openEnded[opcode] ?? file.payload.count) {
            // Without `after` it is whole too.
            if opcode == .listKinds, count == 0 { continue }
            do {
                _ = try decodeAny(opcode, Array(file.payload[..<count]))
                Issue.record("\(name) cut to \(count) bytes was taken")
            } catch {
                #expect(error.code == .malformedMessage)
                #expect(error.description.contains(opcode.name!))
            }
        }
    }

    @Test(arguments: GoldenFile.names().filter { !$0.hasPrefix("bad_") })
    func growthTrailingBytes(name: String) throws {
        let file = try GoldenFile.load(name)
        let opcode = try file.header().opcode
        guard openEnded[opcode] == nil else { return }
        let longer = file.payload + [0]
        if opcode.isFromClient {
            #expect(throws: WireError.self) { try decodeAny(opcode, longer) }
        } else {
            #expect(try decodeAny(opcode, longer))
        }
    }

    @Test func growthClientsIgnoreReservedFieldsAndUnknownFlags() throws {
        var payload = try GoldenFile.load("subscribed").payload
        payload[5] = 0x80  // flags, high byte
        payload[6] = 1  // reserved
        let subscribed = try Subscribed(payload: payload.span.bytes)
        #expect(subscribed.flags == .bootstrap)
    }

    @Test func garbageIsRefusedOrTaken() throws {
        let seed: UInt64 = 0xC0FFEE
        var generator = SeededGenerator(state: seed)
        var taken = 0
        var refused = 0
        var opcodes: [Opcode] = []
        for raw in 0...0xFF where (try? decodeAny(Opcode(rawValue: UInt16(raw)), [])) != false {
            opcodes.append(Opcode(rawValue: UInt16(raw)))
        }
        #expect(opcodes.count == 30)
        for _ in 0..<100_000 {
            let opcode = opcodes.randomElement(using: &generator)!
            var bytes = (0..<Int.random(in: 0...160, using: &generator)).map { _ in
                UInt8(truncatingIfNeeded: generator.next())
            }
            // Small numbers in most places lead deeper into the decoders than noise does.
            for index in bytes.indices where generator.next() & 3 != 0 { bytes[index] &= 3 }
            do { taken += try decodeAny(opcode, bytes) ? 1 : 0 } catch { refused += 1 }
        }
        print("seed \(seed): \(taken) payloads taken, \(refused) refused")
        #expect(taken > 1000 && refused > 1000)
    }

    @Test func damagedMessagesNeverTrap() throws {
        var generator = SeededGenerator(state: 42)
        var refused = 0
        for name in GoldenFile.names() where !name.hasPrefix("bad_") {
            let file = try GoldenFile.load(name)
            let opcode = try file.header().opcode
            for _ in 0..<500 where !file.payload.isEmpty {
                var payload = file.payload
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    payload[Int.random(in: payload.indices, using: &generator)] = UInt8(
                        truncatingIfNeeded: generator.next())
                }
                do { _ = try decodeAny(opcode, payload) } catch { refused += 1 }
            }
        }
        #expect(refused > 1000)
    }

    @Test func garbageStreamsAreCutWithoutTrap() {
        var generator = SeededGenerator(state: 7)
        for _ in 0..<20_000 {
            var bytes = (0..<40).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            let length = UInt32.random(in: 0...64, using: &generator)
            let header = FrameHeader(stream: 0, opcode: .assert, payloadBytes: Int(length))
            bytes.withUnsafeMutableBytes { header.encode(into: $0) }
            let damaged = generator.next() & 1 == 0
            if damaged {
                bytes[Int.random(in: 0..<12, using: &generator)] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            }
            switch cutFrame(bytes.span.bytes, at: 0, payloadMax: 32) {
            case .frame(let cut): #expect(!damaged && cut.payloadBytes == Int(length) && length <= 28)
            case .incomplete(let need): #expect(!damaged && need == 12 + Int(length) && length > 28)
            case .refused: #expect(damaged || length > 32)
            }
        }
    }
}
