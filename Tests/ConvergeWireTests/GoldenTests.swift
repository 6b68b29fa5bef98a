import ConvergeWire
import Testing

/// Every vector both ways: the frame decodes to the value, and the value encodes to the frame.
@Suite struct GoldenTests {
    let token = Token(lineage: 0x1122_3344_5566_7788, sequences: [7]).bytes
    let flight: EntityID
    let row: [UInt8]
    let definition: [UInt8]

    init() throws {
        flight = try .text("UA1545")
        row =
            [8, 0] + "boarding".utf8 + [0, 0, 0, 0] + [0xFB, 0xFF] + [2, 0] + "A7".utf8 + [0, 0, 0, 0, 0, 0]
        definition = Array(try GoldenFile.load("kind_info").payload.dropFirst(2))
    }

    private func check<M: Message & Equatable>(_ name: String, _ expected: M, stream: UInt16 = 0) throws {
        let file = try GoldenFile.load(name)
        let header = try file.header()
        #expect(header == FrameHeader(stream: stream, opcode: M.opcode, payloadBytes: expected.payloadBytes))
        #expect(try M(payload: file.payload.span.bytes) == expected)
        var writer = FrameWriter()
        writer.message(expected, stream: stream)
        #expect(writer.bytes == file.frame)
        #expect(expected.frameBytes == file.frame.count)
    }

    @Test func connection() throws {
        var connect = Connect()
        connect.flags = .hasSource
        connect.session = 0x1F1E_1D1C_1B1A_1918_1716_1514_1312_1110
        connect.source = 3
        connect.livenessMilliseconds = 30_000
        connect.name = "schedule"
        connect.client = "example/1.0"
        try check("connect", connect, stream: 1)

        var reader = Connect()
        reader.flags = .readOnly
        reader.livenessMilliseconds = .max
        try check("connect_read_only", reader, stream: 1)

        var connected = Connected()
        connected.source = 3
        connected.serverTimeMicroseconds = 1_767_225_600_000_000
        connected.heartbeatMilliseconds = 15_000
        connected.server = "ConvergeDB/0.1"
        try check("connected", connected, stream: 1)

        var without = Connected()
        without.frameMax = 65_536
        without.partitions = 4
        try check("connected_read_only", without, stream: 1)

        try check("heartbeat", Heartbeat(opaque: 0x0102_0304_0506_0708), stream: 9)
        try check("heartbeat_ack", HeartbeatAck(opaque: 0x0102_0304_0506_0708), stream: 9)
        try check("goodbye", Goodbye(mode: 0), stream: 11)
        let slow = "the reader fell behind: read faster, or subscribe with 'conflate'"
        try check("server_goodbye", ServerGoodbye(reason: .slowReader, message: slow))
    }

    @Test func kinds() throws {
        try check("create_kind", CreateKind(definition: definition), stream: 2)
        try check("get_kind", GetKind(name: "Flight"), stream: 3)
        try check("list_kinds", ListKinds(), stream: 4)
        let info = KindInfo(kind: 1, definition: definition)
        try check("kind_info", info, stream: 2)
        try check("kind_list", KindList(kinds: [info]), stream: 4)
        try check("kind_list_empty", KindList(kinds: []), stream: 4)
    }

    @Test func queriesAndBarriers() throws {
        try check("query", Query(kind: 1, flags: .afterMyWrites, id: flight), stream: 6)
        try check("sync", Sync(), stream: 5)
        try check("synced", Synced(applied: 3, refused: 1, token: token), stream: 5)
        try check("admin", Admin(json: Array(#"{"command":"stats"}"#.utf8)), stream: 10)
        try check("admin_reply", AdminReply(json: Array(#"{"kinds":1}"#.utf8)), stream: 10)
    }

    @Test func subscriptions() throws {
        try check("subscribe", Subscribe(kind: 1, flags: .bootstrap), stream: 7)
        let everything: SubscribeFlags = [.bootstrap, .previous, .progress, .conflate, .sourceChanges, .noMetadata]
        let resume = Subscribe(kind: 1, flags: everything, buffer: 1000, interest: 5, token: token)
        try check("subscribe_token", resume, stream: 7)
        try check("subscribed", Subscribed(kind: 1, klass: 0, flags: .bootstrap, token: token), stream: 7)
        try check("unsubscribe", Unsubscribe(kind: 1), stream: 8)
        try check("unsubscribed", Unsubscribed(kind: 1), stream: 8)
        try check("bootstrap_begin", BootstrapBegin(kind: 1, klass: 0, flags: .reset, estimate: 842))
        try check("bootstrap_end", BootstrapEnd(kind: 1, klass: 0, count: 842, token: token))
    }

    @Test func errors() throws {
        let refusal = ErrorMessage(
            code: .notOwner, opcode: Opcode.patch.rawValue, kind: 1, write: 17, id: flight,
            message: "field 'gate' belongs to source 2; leave it out of the PATCH")
        try check("error", refusal)
        try check("error_fatal", ErrorMessage(code: .malformedFrame, opcode: 0, fatal: true, message: "häh?"))
    }

    /// What ASSERT, PATCH, RETRACT and BATCH share: frames of writes, and their items.
    private func checkWrites(_ name: String, _ expected: [Write], encode: (inout FrameWriter) -> Void) throws {
        let file = try GoldenFile.load(name)
        let header = try file.header()
        var sink = TestSink()
        try decodeWrites(opcode: header.opcode, file.frame.span.bytes, payload: 12..<file.frame.count, into: &sink)
        #expect(sink.writes == expected)
        var writer = FrameWriter()
        encode(&writer)
        #expect(writer.bytes == file.frame)
    }

    private func write(_ code: WriteCode, at start: Int, mask: UInt64 = 0, data: Int) -> Write {
        let head = [.assert: 40, .patch: 48, .retract: 36][code]!
        return Write(
            code: code, kind: 1, schema: code == .retract ? 0 : 1, mask: mask, idOffset: start + 4,
            dataOffset: start + head, dataBytes: data)
    }

    @Test func writes() throws {
        let patch: [UInt8] = [8, 0] + "departed".utf8 + [0, 0, 0, 0, 4, 0]
        try checkWrites("assert", [write(.assert, at: 12, data: 26)]) {
            $0.assert(kind: 1, schema: 1, id: flight, data: row)
        }
        try checkWrites("patch", [write(.patch, at: 12, mask: 3, data: 16)]) {
            $0.patch(kind: 1, schema: 1, id: flight, mask: 3, data: patch)
        }
        try checkWrites("retract", [write(.retract, at: 12, data: 0)]) { $0.retract(kind: 1, id: .int(42)) }
        let ones = try EntityID(bytes: [UInt8](repeating: 0xFF, count: 32))
        let extreme = Write(
            code: .assert, kind: 65_535, schema: 255, mask: 0, idOffset: 16, dataOffset: 52, dataBytes: 0)
        try checkWrites("assert_empty", [extreme]) { $0.assert(kind: 65_535, schema: 255, id: ones, data: []) }
        try checkWrites("batch_empty", []) {
            $0.beginBatch()
            $0.endBatch()
        }
        let items = [
            write(.assert, at: 21, data: 26), write(.patch, at: 88, mask: 3, data: 16),
            write(.retract, at: 153, data: 0),
        ]
        try checkWrites("batch", items) {
            $0.beginBatch()
            $0.assert(kind: 1, schema: 1, id: flight, data: row)
            $0.patch(kind: 1, schema: 1, id: flight, mask: 3, data: patch)
            $0.retract(kind: 1, id: .int(42))
            $0.endBatch()
        }
        let frame = try GoldenFile.load("batch").frame
        #expect(EntityID(loading: frame.span.bytes, at: items[0].idOffset) == flight)
        #expect(Array(frame[items[0].dataOffset..<items[0].dataOffset + 26]) == row)
    }

    @Test(arguments: GoldenFile.names().filter { $0.hasPrefix("bad_") })
    func refused(name: String) throws {
        let file = try GoldenFile.load(name)
        var refusal: WireError?
        switch cutFrame(file.frame.span.bytes, at: 0, payloadMax: WireLimits.frameBytes) {
        case .incomplete: Issue.record("\(name) is incomplete")
        case .refused(let error): refusal = error
        case .frame(let header):
            do { _ = try decodeAny(header.opcode, file.payload) } catch { refusal = error }
        }
        let error = try #require(refusal, "\(name) was taken")
        #expect(error.code.description == file.refused)
        #expect(error.description.utf8.count > 30)
    }

    /// Written by the core's own tests, which check that its encoder makes the same bytes.
    @Test func coreFrames() throws {
        let names = GoldenFile.names()
        var seen: [String: Int] = [:]
        for name in names {
            let prefix = ["state_", "deleted_", "query_result_"].first { name.hasPrefix($0) }
            guard let prefix else { continue }
            seen[prefix, default: 0] += 1
            let file = try GoldenFile.load(name)
            let header = try file.header()
            let payload = file.payload
            switch prefix {
            case "state_":
                #expect(header.opcode == .state)
                let state = try State(payload: payload.span.bytes)
                let frame = state.frame(
                    data: Array(payload[state.data]), previous: state.previous.map { Array(payload[$0]) })
                #expect(frame == file.frame, "\(name)")
            case "deleted_":
                #expect(header.opcode == .deleted)
                let deleted = try Deleted(payload: payload.span.bytes)
                #expect(deleted.frame(previous: deleted.previous.map { Array(payload[$0]) }) == file.frame, "\(name)")
            default:
                try check(name, try QueryResult(payload: payload.span.bytes), stream: header.stream)
            }
        }
        #expect(
            seen.values.reduce(0, +) == 13, "state_*, deleted_* and query_result_* are thirteen files; found \(seen)")
        #expect(seen.count == 3)
    }

    /// A message of this scope without a vector is one that another implementation cannot check itself against.
    @Test func everyMessageHasAVector() throws {
        var missing: Set<Opcode> = [
            .connect, .assert, .retract, .query, .subscribe, .unsubscribe, .heartbeat, .patch, .batch, .sync, .goodbye,
            .createKind, .getKind, .listKinds, .admin, .connected, .state, .deleted, .bootstrapBegin, .bootstrapEnd,
            .queryResult, .subscribed, .unsubscribed, .kindInfo, .synced, .heartbeatAck, .kindList, .adminReply,
            .serverGoodbye, .error,
        ]
        for name in GoldenFile.names() where !name.hasPrefix("bad_") {
            missing.remove(try GoldenFile.load(name).header().opcode)
        }
        #expect(missing.isEmpty)
    }
}
