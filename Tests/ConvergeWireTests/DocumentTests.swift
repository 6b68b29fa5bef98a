import ConvergeWire
import Testing

/// docs/PROTOCOL.md is what other clients are written from: its hex must be frames, and its tables those of the code.
@Suite struct DocumentTests {
    let text: String

    init() throws {
        let root = GoldenFile.directory.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()
        text = try #require(GoldenFile.read(root + "/docs/PROTOCOL.md"), "docs/PROTOCOL.md is missing")
    }

    @Test func hexBlocksAreFrames() throws {
        var blocks = 0
        for section in text.split(separator: "```hex").dropFirst() {
            let lines = section.split(separator: "\n", omittingEmptySubsequences: false)
            let name = lines[0].filter { $0 != " " }
            let words = lines.dropFirst().prefix { $0 != "```" }.joined(separator: " ").split(separator: " ")
            let frame = words.compactMap { UInt8($0, radix: 16) }
            #expect(frame.count == words.count)
            if !name.isEmpty { #expect(try GoldenFile.load(name).frame == frame, "\(name)") }
            guard case .frame(let header) = cutFrame(frame.span.bytes, at: 0, payloadMax: WireLimits.frameBytes) else {
                Issue.record("block \(blocks) is no frame")
                continue
            }
            #expect(header.payloadBytes == frame.count - FrameHeader.bytes)
            let payload = Array(frame.dropFirst(FrameHeader.bytes))
            if !name.hasPrefix("bad_") { #expect(try decodeAny(header.opcode, payload)) }
            blocks += 1
        }
        #expect(blocks >= 20)
    }

    @Test func everyCodeReasonAndOpcodeIsListed() {
        for code in WireErrorCode.allCases {
            #expect(text.contains("\n| \(code.rawValue) | \(code) |"))
        }
        for reason in GoodbyeReason.allCases {
            #expect(text.contains("\n| \(reason.rawValue) | "))
        }
        for raw in 0...0xFF as ClosedRange<UInt16> {
            let opcode = Opcode(rawValue: raw)
            guard let name = opcode.name else { continue }
            let number = opcode.description.split(separator: "(")[1].dropLast()
            let listed = text.contains("| \(number) | \(name) |") || text.contains("\(number)\n\(name)")
            #expect(listed || text.contains("\(number) \(name)"), "\(opcode)")
        }
    }
}
