import ConvergeWire
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The files of Tests/Golden: hex bytes separated by white space, comments from '#' to the end of the line.
struct GoldenFile {
    var name: String
    var frame: [UInt8]
    /// What a line `# refused: <code>` says.
    var refused: String?

    static let directory = String(#filePath.split(separator: "/").dropLast(2).map { "/" + $0 }.joined()) + "/Golden"

    static func load(_ name: String) throws -> GoldenFile {
        let text = try #require(read("\(directory)/\(name).hex"), "Tests/Golden/\(name).hex is missing")
        var file = GoldenFile(name: name, frame: [])
        for line in text.split(separator: "\n") {
            let marker = "# refused: "
            if line.hasPrefix(marker) { file.refused = String(line.dropFirst(marker.count)) }
            for word in line.prefix(while: { $0 != "#" }).split(separator: " ") {
                let byte = try #require(UInt8(word, radix: 16), "'\(word)' in \(name).hex is not a byte")
                file.frame.append(byte)
            }
        }
        return file
    }

    /// The names of all files, sorted, without `.hex`.
    static func names() -> [String] {
        guard let folder = opendir(directory) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".hex") { names.append(String(name.dropLast(4))) }
        }
        return names.sorted()
    }

    static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    var payload: [UInt8] { Array(frame.dropFirst(FrameHeader.bytes)) }

    /// Cuts the frame as a receiver does.
    func header() throws -> FrameHeader {
        guard case .frame(let header) = cutFrame(frame.span.bytes, at: 0, payloadMax: WireLimits.frameBytes) else {
            Issue.record("\(name).hex is not one frame")
            throw WireError(.malformedFrame, name)
        }
        try #require(header.payloadBytes == payload.count)
        return header
    }
}

/// Collects writes.
struct TestSink: OperationSink {
    var writes: [Write] = []
    var count: Int { writes.count }
    mutating func append(_ write: Write) { writes.append(write) }
    mutating func rollBack(to count: Int) { writes.removeLast(writes.count - count) }
}

/// Decodes any payload as its receiver does and forgets the result; nil when the opcode has no decoder.
func decodeAny(_ opcode: Opcode, _ payload: [UInt8]) throws(WireError) -> Bool {
    let span = payload.span.bytes
    switch opcode {
    case .assert, .patch, .retract, .batch:
        var sink = TestSink()
        try decodeWrites(opcode: opcode, span, payload: 0..<payload.count, into: &sink)
    case .connect: _ = try Connect(payload: span)
    case .query: _ = try Query(payload: span)
    case .subscribe: _ = try Subscribe(payload: span)
    case .unsubscribe: _ = try Unsubscribe(payload: span)
    case .heartbeat: _ = try Heartbeat(payload: span)
    case .sync: _ = try Sync(payload: span)
    case .goodbye: _ = try Goodbye(payload: span)
    case .createKind: _ = try CreateKind(payload: span)
    case .getKind: _ = try GetKind(payload: span)
    case .listKinds: _ = try ListKinds(payload: span)
    case .admin: _ = try Admin(payload: span)
    case .connected: _ = try Connected(payload: span)
    case .state: _ = try State(payload: span)
    case .deleted: _ = try Deleted(payload: span)
    case .bootstrapBegin: _ = try BootstrapBegin(payload: span)
    case .bootstrapEnd: _ = try BootstrapEnd(payload: span)
    case .queryResult: _ = try QueryResult(payload: span)
    case .subscribed: _ = try Subscribed(payload: span)
    case .unsubscribed: _ = try Unsubscribed(payload: span)
    case .kindInfo: _ = try KindInfo(payload: span)
    case .synced: _ = try Synced(payload: span)
    case .heartbeatAck: _ = try HeartbeatAck(payload: span)
    case .kindList: _ = try KindList(payload: span)
    case .adminReply: _ = try AdminReply(payload: span)
    case .serverGoodbye: _ = try ServerGoodbye(payload: span)
    case .error: _ = try ErrorMessage(payload: span)
    default: return false
    }
    return true
}

/// splitmix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
