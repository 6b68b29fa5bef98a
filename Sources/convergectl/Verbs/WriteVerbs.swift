import ConvergeClient
import ConvergeJSON

extension Verb {
    static let assert = Verb(
        name: "assert", words: ["KIND", "ID", "JSON"], summary: "Declare the whole state of an entity",
        details: """
            Fields that JSON leaves out become zero. When the command returns 0 the write is flushed, and on its way to
            every subscriber.

              convergectl assert Flight UA-1545 '{"status":"boarding","delay_minutes":3}'
            """,
        run: { try await runWrite($0, .assert) })

    static let patch = Verb(
        name: "patch", words: ["KIND", "ID", "JSON"], summary: "Replace some fields of an entity",
        details: "Fields that JSON leaves out stay as they are. An entity that does not exist is created.",
        run: { try await runWrite($0, .patch) })

    static let retract = Verb(
        name: "retract", words: ["KIND", "ID"], summary: "Withdraw this source's assertion of an entity",
        details: """
            The entity goes when no source asserts it any more. Retracting what this source does not assert does nothing.
            """,
        run: { try await runWrite($0, .retract) })
}

private enum Operation: String {
    case assert, patch, retract
}

private func runWrite(_ invocation: Invocation, _ operation: Operation) async throws -> ExitCode {
    let id = try invocation.entityID(invocation.words[1])
    let client = try await invocation.connectToWrite()
    let kind = try await client.kind(named: invocation.words[0])
    switch operation {
    case .retract: try await client.retract(kind, id)
    case .patch: try await client.patch(kind, id, fieldValues(invocation, kind))
    case .assert: try await client.assert(kind, id, fieldValues(invocation, kind))
    }
    let synced = try await client.sync()
    await client.close()
    if invocation.global.json {
        let output = Output()
        output.document {
            $0.member("operation", operation.rawValue)
            $0.member("kind", kind.name)
            $0.member("id", "\(id)")
            $0.synced(synced)
        }
        output.flush()
    }
    try synced.check()
    if !invocation.global.json { talk("\(operation.rawValue)ed \(kind.name) \(id)") }
    return .ok
}

private func fieldValues(_ invocation: Invocation, _ kind: Kind) throws -> [(name: String, value: Value)] {
    do {
        return try FieldValues.parse(Array(invocation.words[2].utf8), for: kind.layout)
    } catch {
        throw CommandFailure(.usage, error.description)
    }
}

extension JSONWriter {
    /// How the writes went.
    mutating func synced(_ synced: SyncResult) {
        member("applied", synced.applied)
        member("refused", synced.refused)
        key("refusals")
        beginArray()
        for refusal in synced.refusals {
            beginObject()
            member("write", refusal.write)
            member("id", "\(refusal.id)")
            member("code", refusal.code.map { "\($0)" } ?? "unknown")
            member("message", refusal.message)
            endObject()
        }
        endArray()
        member("token", hexText(synced.token))
    }
}
