import ConvergeEngine
import ConvergeSchema
import ConvergeWire

extension Server {
    /// CREATE_KIND (K1): registers the kind, or finds it registered already; answers with its number and definition.
    mutating func createKind(_ slot: Int, _ stream: UInt16, _ message: CreateKind) throws(WireError) {
        let candidate: KindRegistry.Candidate
        do { candidate = try registry.candidate(for: KindDefinition(encoded: message.definition)) } catch {
            throw WireError(error.wireCode, error.description)
        }
        switch candidate {
        case .registered(let entry): reply(slot, stream: stream, KindInfo(entry))
        case .new(let entry):
            guard registry.bytes + entry.encoded.count <= ServerLimits.definitionBytesMax else {
                throw WireError(
                    .limitReached,
                    "kind '\(entry.definition.name)': the definitions of all kinds may have \(ServerLimits.definitionBytesMax) "
                        + "bytes, and have \(registry.bytes): shorten names, or register fewer kinds")
            }
            do { try partitions.createKind(entry.kind, entry.definition) } catch {
                throw WireError(error.wireCode, "the kind could not be created: \(error)")
            }
            registry.add(entry)
            reply(slot, stream: stream, KindInfo(entry))
        }
    }

    /// GET_KIND: the kind of a name.
    mutating func getKind(_ slot: Int, _ stream: UInt16, _ message: GetKind) throws(WireError) {
        guard let kind = registry.kind(named: message.name), let entry = registry[kind] else {
            throw WireError(.unknownKind, "there is no kind \(Sentence.quote(message.name))\(kindsThereAre)")
        }
        reply(slot, stream: stream, KindInfo(entry))
    }

    /// LIST_KINDS: as many kinds as fit, and whether there are more.
    mutating func listKinds(_ slot: Int, _ stream: UInt16, _ message: ListKinds) {
        let entries = registry.entries(after: message.after)
        var list = KindList(kinds: [])
        var bytes = list.payloadBytes
        for entry in entries {
            let info = KindInfo(entry)
            bytes += 4 + info.payloadBytes
            guard bytes <= ServerLimits.kindListBytes else { break }
            list.kinds.append(info)
        }
        if list.kinds.count < entries.count { list.flags = .more }
        charge(slot, list.kinds.count / 16)
        reply(slot, stream: stream, list)
    }

    /// A refusal that names the kinds a caller may have meant.
    private var kindsThereAre: String {
        let names = registry.entries(after: 0).prefix(8).map { "'\($0.definition.name)'" }.joined(separator: ", ")
        guard !names.isEmpty else { return ": no kind is registered yet, register it with CREATE_KIND" }
        return ": registered are \(names)\(registry.count > 8 ? " and \(registry.count - 8) more" : "")"
    }

    /// The refusal of a request that names a kind by a number nobody has.
    func unknownKind(_ kind: UInt16) -> WireError {
        WireError(
            .unknownKind, "there is no kind \(kind): register it with CREATE_KIND, or ask for its number with GET_KIND")
    }
}

extension KindInfo {
    fileprivate init(_ entry: KindRegistry.Entry) { self.init(kind: entry.kind, definition: entry.encoded) }
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
