import ConvergeSchema
import ConvergeWire

/// A kind as the server knows it: its number on the wire and where its fields stand in a row.
public final class Kind: Sendable {
    public let number: UInt16
    public let layout: KindLayout

    public var definition: KindDefinition { layout.definition }
    public var name: String { definition.name }
    public var schema: UInt8 { definition.schema }

    init(_ info: KindInfo) throws(ClientError) {
        do {
            number = info.kind
            layout = try KindLayout(KindDefinition(encoded: info.definition))
        } catch {
            throw .violation("its definition of kind \(info.kind) is not valid (\(error.description))")
        }
    }
}

extension Client {
    /// Registers a kind, or finds it registered (K1): the same definition, or the beginning of it, is accepted.
    ///
    /// - Returns: the kind as the server holds it, which may have more fields.
    /// - Throws: `refused(schemaConflict)` naming the first field that differs, `refused(reservedName)`, `invalid`.
    public func register(_ definition: KindDefinition) async throws(ClientError) -> Kind {
        do { try definition.validate() } catch { throw ClientError(error) }
        return try Kind(await request(CreateKind(definition: definition.encoded()), KindInfo.self))
    }

    /// The kind with this name.
    ///
    /// - Throws: `refused(unknownKind)`.
    public func kind(named name: String) async throws(ClientError) -> Kind {
        guard name.utf8.count <= WireLimits.stringBytes else {
            throw ClientError(.invalid, "a kind's name of \(name.utf8.count) bytes cannot exist: shorten it")
        }
        return try Kind(await request(GetKind(name: name), KindInfo.self))
    }

    /// Every kind of the server, in the order of their numbers.
    public func kinds() async throws(ClientError) -> [Kind] {
        var kinds: [Kind] = []
        while true {
            let last = kinds.last?.number ?? 0
            let page = try await request(ListKinds(after: last), KindList.self)
            for info in page.kinds { kinds.append(try Kind(info)) }
            guard page.flags.contains(.more) else { return kinds.sorted { $0.number < $1.number } }
            guard let next = kinds.last?.number, next > last else {
                throw .violation("its list of kinds goes on behind \(last) without a kind")
            }
        }
    }
}
