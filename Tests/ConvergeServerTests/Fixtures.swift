import ConvergeSchema
import ConvergeServer
import ConvergeTestSupport
import ConvergeWire
import Testing

/// A kind with one field of every group of types, 4 + 1 + 2 + 8 + 2 + 4 + 4 = 25 bytes of data.
enum Gauge {
    static let definition = KindDefinition(
        name: "Gauge",
        fields: [
            FieldDefinition(name: "level", type: .u32),
            FieldDefinition(name: "open", type: .bool),
            FieldDefinition(name: "label", type: .string, max: 8),
            FieldDefinition(name: "raw", type: .bytes, max: 4),
            FieldDefinition(name: "owned", type: .u32, owners: 1 << 7),
        ])
    static let layout = try! KindLayout(definition)

    static func row(_ level: UInt32 = 0, open: Bool = false, label: String = "") -> [UInt8] {
        try! layout.encodeRow([
            ("level", .unsigned(UInt128(level))), ("open", .bool(open)), ("label", .string(label)),
        ])
    }

    static func level(_ data: [UInt8]) -> UInt32 {
        data[0..<4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}

func id(_ text: String) -> EntityID { try! EntityID.text(text) }
func id(_ number: Int) -> EntityID { EntityID.int(UInt64(number)) }

extension RawClient {
    /// A connected client with the Gauge kind registered.
    static func withGauge(
        _ server: TestServer, source: UInt8? = nil, receiveBuffer: Int32? = nil
    ) throws -> (client: RawClient, kind: UInt16) {
        let client = try RawClient(server, receiveBuffer: receiveBuffer)
        try client.connect(source: source)
        return (client, try client.create(Gauge.definition))
    }

    func create(_ definition: KindDefinition) throws -> UInt16 {
        try request(CreateKind(definition: definition.encoded()), KindInfo.self).kind
    }

    /// SUBSCRIBE; the SUBSCRIBED that answers it.
    @discardableResult
    func subscribe(_ kind: UInt16, _ flags: SubscribeFlags = [], buffer: UInt32 = 0) throws -> Subscribed {
        try request(Subscribe(kind: kind, flags: flags, buffer: buffer), Subscribed.self)
    }

    /// The next frame, which must be a STATE: it and its data.
    func receiveState() throws -> (state: State, data: [UInt8], previous: [UInt8]?) {
        let frame = try receive()
        guard frame.opcode == .state else { throw ClientFailure("expected STATE, got \(frame)") }
        let state = try State(payload: frame.payload.span.bytes)
        return (state, Array(frame.payload[state.data]), state.previous.map { Array(frame.payload[$0]) })
    }

    /// The next frame, which must be an ERROR of this code with these words in its sentence.
    @discardableResult
    func expectError(
        _ code: WireErrorCode, fatal: Bool = false, _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ErrorMessage {
        try expect(receive(), code, fatal: fatal, words, sourceLocation: sourceLocation)
    }

    /// The reply to a request, which must be an ERROR of this code.
    @discardableResult
    func expectError(
        to message: some Message, _ code: WireErrorCode, fatal: Bool = false, _ words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> ErrorMessage {
        try expect(request(message), code, fatal: fatal, words, sourceLocation: sourceLocation)
    }

    private func expect(
        _ frame: ReceivedFrame, _ code: WireErrorCode, fatal: Bool, _ words: [String], sourceLocation: SourceLocation
    ) throws -> ErrorMessage {
        let error = try frame.decode(ErrorMessage.self)
        #expect(error.code == code.rawValue, "\(frame)", sourceLocation: sourceLocation)
        #expect(error.fatal == fatal, "\(frame)", sourceLocation: sourceLocation)
        for word in words {
            #expect(error.message.contains(word), "'\(word)' in: \(error.message)", sourceLocation: sourceLocation)
        }
        return error
    }

    func expectEnd(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let frame = try receiveOrEnd()
        #expect(frame == nil, "expected the end, got \(frame.map(\.description) ?? "")", sourceLocation: sourceLocation)
    }
}
