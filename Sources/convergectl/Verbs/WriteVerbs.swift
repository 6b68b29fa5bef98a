import ConvergeClient
import ConvergeJSON

extension Verb {
    static let assert = Verb(
        name: "assert", words: ["KIND", "ID", "JSON"], summary: "Declare the whole state of an entity",
        details: """
            Fields that JSON leaves out become zero. Fields that another source owns stay as
            they are, and are named. When the command returns 0 the write is flushed, and on
            its way to every subscriber.

              convergectl assert Flight UA-1545 '{"status":"boarding","delay_minutes":3}'
            """,
        run: { try await runWrite($0, .assert) })

    static let patch = Verb(
        name: "patch", words: ["KIND", "ID", "JSON"], summary: "Replace some fields of an entity",
        details: """
            Fields that JSON leaves out stay as they are. An entity that does not exist is
            created.
            """,
        run: { try await runWrite($0, .patch) })

    static let retract = Verb(
        name: "retract", words: ["KIND", "ID"], summary: "Withdraw this source's assertion of an entity",
        details: """
            The entity goes when no source asserts it any more. Retracting what this source
            does not assert changes nothing: exit code 1 when others assert it, who are
            named; 6 when nobody does.
            """,
        run: { try await runWrite($0, .retract) })
}

private enum Operation: String {
    case assert, patch, retract
}

private func runWrite(_ invocation: Invocation, _ operation: Operation) async throws -> ExitCode {
    let id = try invocation.entityID(invocation.words[1])
    let client = try await invocation.connectToWrite()
    let kind = try await invocation.kind(of: client)
    let earlier = try await client.writesBefore()
    var before: EntityState?
    switch operation {
    case .retract:
        before = try await client.query(kind, id)
        try await client.retract(kind, id)
    case .patch: try await client.patch(kind, id, fieldValues(invocation, kind))
    case .assert:
        let values = try fieldValues(invocation, kind)
        var owned = FieldsOfOthers(client, kind)
        owned.tell(of: values.map(\.name))
        try await client.assert(kind, id, values)
    }
    let synced = try await client.sync()
    await invocation.end(client)
    if invocation.global.json {
        let output = Output()
        output.document {
            $0.member("operation", operation.rawValue)
            $0.member("kind", kind.name)
            $0.member("id", "\(id)")
            $0.synced(synced, after: earlier)
        }
        output.flush()
    }
    try synced.check()
    if let before { try requireAsserted(before, by: client.source, "\(kind.name) \(shown(invocation.words[1]))") }
    if !invocation.global.json { talk("\(operation.rawValue)ed \(kind.name) \(shown(invocation.words[1]))") }
    return .ok
}

/// Whether there was something to retract.
private func requireAsserted(_ state: EntityState, by source: UInt8?, _ entity: String) throws {
    switch state {
    case .notFound: throw CommandFailure(.notFound, "\(entity) does not exist")
    case .tombstone(let version):
        throw CommandFailure(.notFound, "\(entity) was deleted; its last version is \(version)")
    case .alive(_, let set, _):
        guard let source, set >> UInt64(source) & 1 == 0 else { return }
        let others = sourceList(set)
        let (noun, example) = others.contains(",") ? ("sources", "N") : ("source", others)
        throw CommandFailure(
            .refused,
            "\(entity) is asserted by \(noun) \(others), and this was source \(source): use --source \(example) to "
                + "retract as that source")
    }
}

/// Names fields that an ASSERT gives and does not write, each once: another source owns them (W5).
struct FieldsOfOthers {
    private var untold: [String: UInt64] = [:]

    init(_ client: Client, _ kind: Kind) {
        guard let source = client.source else { return }
        for field in kind.definition.fields where field.owners != 0 && field.owners >> UInt64(source) & 1 == 0 {
            untold[field.name] = field.owners
        }
    }

    mutating func tell(of names: [String]) {
        guard !untold.isEmpty else { return }
        for name in names {
            guard let owners = untold.removeValue(forKey: name) else { continue }
            let list = sourceList(owners)
            talk("field '\(name)' is owned by source\(list.contains(",") ? "s" : "") \(list): not written")
        }
    }
}

private func fieldValues(_ invocation: Invocation, _ kind: Kind) throws -> [(name: String, value: Value)] {
    do {
        return try FieldValues.parse(Array(invocation.words[2].utf8), for: kind.layout)
    } catch {
        let isUnquoted = error.message.hasPrefix("malformed") && !invocation.words[2].contains("\"")
        throw CommandFailure(.usage, error.description + (isUnquoted ? ": put the JSON in single quotes" : ""))
    }
}

extension JSONWriter {
    /// How the writes went; they are numbered from those of earlier commands on.
    mutating func synced(_ synced: SyncResult, after earlier: UInt64) {
        member("applied", synced.applied)
        member("refused", synced.refused)
        key("refusals")
        beginArray()
        for refusal in synced.refusals {
            beginObject()
            member("write", refusal.write - earlier)
            member("id", "\(refusal.id)")
            member("code", refusal.code.map { "\($0)" } ?? "unknown")
            member("message", refusal.message)
            endObject()
        }
        endArray()
        member("token", hexText(synced.token))
    }
}
