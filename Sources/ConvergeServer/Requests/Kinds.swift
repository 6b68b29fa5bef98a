import ConvergeEngine
import ConvergeSchema
import ConvergeWire

extension Server {
    /// CREATE_KIND (K1): registers the kind, or finds it registered already; answers with its number and definition.
    mutating func createKind(_ slot: Int, _ stream: UInt16, _ message: CreateKind) throws(WireError) {
        let unchanged = registry
        do {
            let definition = try KindDefinition(encoded: message.definition)
            let (kind, isNew) = try registry.register(definition)
            if isNew, let entry = registry[kind] { try create(entry) }
            info(slot, stream, kind)
        } catch let error as SchemaError {
            throw WireError(error.wireCode, error.description)
        } catch {
            registry = unchanged
            throw WireError(
                (error as? EngineStatus)?.wireCode ?? .outOfMemory, "the kind could not be created: \(error)")
        }
    }

    private mutating func create(_ entry: KindRegistry.Entry) throws(EngineStatus) {
        try engine.createKind(entry.kind, entry.definition)
    }

    /// GET_KIND: the kind of a name.
    mutating func getKind(_ slot: Int, _ stream: UInt16, _ message: GetKind) throws(WireError) {
        guard let kind = registry.kind(named: message.name) else {
            throw WireError(.unknownKind, "there is no kind \(Sentence.quote(message.name))\(kindsThereAre)")
        }
        info(slot, stream, kind)
    }

    mutating func listKinds(_ slot: Int, _ stream: UInt16, _ message: ListKinds) throws(WireError) {
        let list = KindList(kinds: registry.all.map { KindInfo(kind: $0.kind, definition: $0.definition.encoded()) })
        guard list.frameBytes <= ServerLimits.frameBytes else {
            throw WireError(
                .limitReached,
                "the list of \(registry.count) kinds does not fit in a frame: ask for one by its name with GET_KIND")
        }
        reply(slot, stream: stream, list)
    }

    private mutating func info(_ slot: Int, _ stream: UInt16, _ kind: UInt16) {
        guard let entry = registry[kind] else { return }
        reply(slot, stream: stream, KindInfo(kind: kind, definition: entry.definition.encoded()))
    }

    /// A refusal that names the kinds a caller may have meant.
    private var kindsThereAre: String {
        let names = registry.all.prefix(8).map { "'\($0.definition.name)'" }.joined(separator: ", ")
        guard !names.isEmpty else { return ": no kind is registered yet, register it with CREATE_KIND" }
        return ": registered are \(names)\(registry.count > 8 ? " and \(registry.count - 8) more" : "")"
    }

    /// The refusal of a request that names a kind by a number nobody has.
    func unknownKind(_ kind: UInt16) -> WireError {
        WireError(
            .unknownKind, "there is no kind \(kind): register it with CREATE_KIND, or ask for its number with GET_KIND")
    }
}

extension SchemaError {
    var wireCode: WireErrorCode {
        switch code {
        case .invalidDefinition, .duplicateField, .wrongType, .outOfRange: .invalidDefinition
        case .unsupported: .unsupported
        case .reservedName: .reservedName
        case .schemaConflict: .schemaConflict
        case .limitReached: .limitReached
        case .unknownField: .unknownField
        case .valueTooLong: .valueTooLong
        case .wrongLength: .wrongLength
        case .invalidBool: .invalidBool
        case .invalidUTF8: .invalidUTF8
        case .nonzeroPadding: .nonzeroPadding
        }
    }
}
