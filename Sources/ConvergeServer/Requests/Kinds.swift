import ConvergeEngine
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// A CREATE_KIND, on its way to shard 0.
struct Registration {
    let shard: Int
    let connection: Connection
    let stream: UInt16
    let definition: [UInt8]
}

/// Shard 0's: the kind that is being created everywhere, and those that wait for it.
struct Registrations {
    var isUnderWay = false
    var waiting: [Registration] = []

    mutating func next() -> Registration? { waiting.isEmpty ? nil : waiting.removeFirst() }
}

extension Shard {
    /// CREATE_KIND (K1): registers the kind, or finds it registered already; answers with its number and definition when every
    /// shard knows it.
    mutating func createKind(_ slot: Int, _ stream: UInt16, _ message: CreateKind) throws(WireError) {
        let registration = Registration(
            shard: number, connection: sessions[slot].connection, stream: stream, definition: message.definition)
        sessions[slot].awaitsShards = true
        ask(0) { first in first.register(registration) }
    }

    /// On shard 0: one kind after the other, so that numbers have no gaps.
    private mutating func register(_ registration: Registration) {
        guard !registrations.isUnderWay else { return registrations.waiting.append(registration) }
        do throws(WireError) {
            switch try candidate(registration.definition) {
            case .registered(let entry): answer(registration, .success(entry))
            case .new(let entry):
                registrations.isUnderWay = true
                create(entry, registration)
            }
        } catch { answer(registration, .failure(error)) }
    }

    private func candidate(_ encoded: [UInt8]) throws(WireError) -> KindRegistry.Candidate {
        let candidate: KindRegistry.Candidate
        do { candidate = try registry.candidate(for: KindDefinition(encoded: encoded)) } catch {
            throw WireError(error.wireCode, error.description)
        }
        if case .new(let entry) = candidate, registry.bytes + entry.encoded.count > ServerLimits.definitionBytesMax {
            throw WireError(
                .limitReached,
                "kind '\(entry.definition.name)': the definitions of all kinds may have \(ServerLimits.definitionBytesMax) "
                    + "bytes, and have \(registry.bytes): shorten names, or register fewer kinds")
        }
        return candidate
    }

    /// In every shard, or in none.
    private mutating func create(_ entry: KindRegistry.Entry, _ registration: Registration) {
        gather(
            { shard in shard.addKind(entry) },
            { first, refusals in
                if let refusal = refusals.compactMap({ $0 }).first {
                    for (shard, refused) in refusals.enumerated() where refused == nil {
                        first.ask(shard) { there in there.discardKind(entry) }
                    }
                    first.answer(registration, .failure(refusal))
                } else {
                    first.answer(registration, .success(entry))
                }
                first.registrations.isUnderWay = false
                if let next = first.registrations.next() { first.register(next) }
            })
    }

    private mutating func addKind(_ entry: KindRegistry.Entry) -> WireError? {
        do { try partitions.createKind(entry.kind, entry.definition) } catch {
            return WireError(error.wireCode, "the kind could not be created: \(error)")
        }
        registry.add(entry)
        return nil
    }

    private mutating func discardKind(_ entry: KindRegistry.Entry) {
        registry.removeLast()
        partitions.discardKind(entry.kind)
    }

    private mutating func answer(_ registration: Registration, _ result: Result<KindRegistry.Entry, WireError>) {
        tell(registration.shard) { home in
            guard home.sessions.isAlive(registration.connection) else { return }
            let slot = registration.connection.slot
            home.goOn(slot)
            switch result {
            case .success(let entry): home.reply(slot, stream: registration.stream, KindInfo(entry))
            case .failure(let error):
                home.refuse(
                    slot, error.code, stream: registration.stream, opcode: .createKind, error.description)
            }
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
