import ConvergeClient
import ConvergeJSON

extension Verb {
    static let get = Verb(
        name: "get", words: ["KIND", "ID"], summary: "Print an entity",
        details: "Returns 6 when nobody asserts it.",
        run: { try await runGet($0) })
}

private func runGet(_ invocation: Invocation) async throws -> ExitCode {
    let id = try invocation.entityID(invocation.words[1])
    let client = try await invocation.connectToRead()
    let kind = try await invocation.kind(of: client)
    let state = try await client.query(kind, id)
    await invocation.end(client)
    let output = Output()
    if invocation.global.json {
        output.document { writer in
            writer.member("kind", kind.name)
            writer.member("id", "\(id)")
            switch state {
            case .alive(let version, let sourceSet, let row):
                writer.member("state", "alive")
                writer.member("version", version)
                writer.member(sourceSet: sourceSet)
                writer.member("fields", row)
            case .tombstone(let version):
                writer.member("state", "tombstone")
                writer.member("version", version)
            case .notFound: writer.member("state", "not_found")
            }
        }
    } else if case .alive(let version, let sourceSet, let row) = state {
        output.line(output.paint("\(id)", .bold) + "  version \(version), sources \(sourceList(sourceSet))")
        let width = kind.definition.fields.map(\.name.count).max() ?? 0
        for (field, value) in zip(kind.definition.fields, row.values) {
            output.line("  \(padded(field.name, width))  \(valueText(value, of: field))")
        }
    }
    output.flush()
    switch state {
    case .alive: return .ok
    case .tombstone(let version):
        throw CommandFailure(.notFound, "\(kind.name) \(id) was deleted; its last version is \(version)")
    case .notFound: throw CommandFailure(.notFound, "\(kind.name) \(id) does not exist")
    }
}
