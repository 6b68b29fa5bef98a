import ConvergeJSON
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// A read-only connection that stays: makes the kinds, asks for statistics, and for every entity.
final class Inspector: Peer {
    /// An entity as a QUERY says.
    struct Row {
        var version: UInt64 = 0
        var sources: UInt64 = 0
        /// Nil: it is not alive.
        var tags: Tags?
    }

    private static let queriesAtOnce = 256

    private var kindInfo: KindInfo?
    private var reply: [UInt8]?
    private var asked: [Int] = []
    private var answered = 0
    private var rows: [Row] = []

    override var name: String { "the inspector" }

    func begin() throws(StressFailure) {
        try connect(.stress(.readOnly, name: name))
        try world.wait(until: "the inspector is connected") { [self] in isOpen }
    }

    /// - Returns: the number of the kind.
    func create(_ definition: KindDefinition) throws(StressFailure) -> UInt16 {
        kindInfo = nil
        try send(CreateKind(definition: definition.encoded()), stream: 1)
        try world.wait(until: "the kind '\(definition.name)' is there") { [self] in kindInfo != nil }
        return kindInfo?.kind ?? 0
    }

    func statistics() throws(StressFailure) -> JSONValue {
        reply = nil
        try send(Admin(json: Array(#"{"command":"stats"}"#.utf8)), stream: 1)
        try world.wait(until: "the server says its statistics") { [self] in reply != nil }
        do { return try JSONValue(parsing: reply ?? []) } catch {
            throw StressFailure("the server's statistics are no JSON: \(error)")
        }
    }

    /// Every entity, kind after kind.
    func queryAll() throws(StressFailure) -> [Row] {
        let count = KindShape.all.count * Entities.count
        rows = [Row](repeating: Row(), count: count)
        asked = [Int](repeating: -1, count: Self.queriesAtOnce)
        answered = 0
        var next = 0
        while answered < count {
            for stream in asked.indices where asked[stream] < 0 && next < count {
                let kind = next / Entities.count
                asked[stream] = next
                try send(
                    Query(kind: world.kinds[kind], id: Entities.id(next % Entities.count, kind: kind)),
                    stream: UInt16(stream + 1))
                next += 1
            }
            let before = answered
            try world.wait(until: "the inspector's queries are answered") { [self] in answered > before }
        }
        return rows
    }

    override func take(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        switch header.opcode {
        case .connected: isOpen = true
        case .kindInfo: kindInfo = try decode(KindInfo.self, payload)
        case .adminReply: reply = try decode(AdminReply.self, payload).json
        case .queryResult: try takeAnswer(Int(header.stream) - 1, try decode(QueryResult.self, payload))
        case .serverGoodbye where world.isStopping: world.counts.shutdownGoodbyes += 1
        default: throw try unexpected(header, payload)
        }
    }

    private func takeAnswer(_ stream: Int, _ result: QueryResult) throws(StressFailure) {
        guard asked.indices.contains(stream), asked[stream] >= 0 else {
            throw StressFailure("\(name) was answered on stream \(stream + 1), where nothing is asked")
        }
        let index = asked[stream]
        asked[stream] = -1
        answered += 1
        let kind = index / Entities.count
        let entity = index % Entities.count
        // Nobody writes while it asks: what is known now was known when it asked.
        let known = world.observed[kind].newest[entity]
        let tags = try world.judge(result, kind, entity, known: known, by: name)
        rows[index] = Row(version: result.version, sources: result.sourceSet, tags: tags)
    }

    override func ended(_ error: Int32) throws(StressFailure) {
        guard world.isStopping else { throw StressFailure("\(name) lost its connection (errno \(error))") }
    }
}
