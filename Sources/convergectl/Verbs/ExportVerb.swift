import ConvergeClient
import ConvergeJSON

extension Verb {
    static let export = Verb(
        name: "export", words: ["KIND"], summary: "Print every entity of a kind, one JSON object a line",
        details: """
            Each line has id, version, source_set (bit n: source n asserts it), the same as
            a list in sources, and fields; lines are sorted by id, so that two exports of
            the same state are the same text. Writes that go on meanwhile are in it or not,
            entity by entity. 'load' reads these lines. The whole kind is held in memory.
            With --json, one document with the lines in 'entities'.
            """,
        run: { try await runExport($0) })
}

private func runExport(_ invocation: Invocation) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let kind = try await invocation.kind(of: client)
    let subscription = try await client.subscribe(kind, .bootstrap)
    var mirror = Mirror()
    var token = subscription.token
    receiving: for try await notification in subscription {
        mirror.apply(notification)
        if case .bootstrapEnd(let end) = notification {
            token = end.token
            break receiving
        }
    }
    await invocation.end(client)
    print(mirror, of: kind, token, asDocument: invocation.global.json)
    return .ok
}

private func print(_ mirror: Mirror, of kind: Kind, _ token: [UInt8], asDocument: Bool) {
    let sorted = mirror.entities.sorted { $0.key.sortsBefore($1.key) }
    let output = Output()
    var writer = JSONWriter()
    if asDocument {
        writer.beginObject()
        writer.member("kind", kind.name)
        writer.member("count", sorted.count)
        writer.member("token", hexText(token))
        writer.key("entities")
        writer.beginArray()
    }
    for (id, entity) in sorted {
        writer.beginObject()
        writer.member("id", "\(id)")
        writer.member("version", entity.version)
        writer.member(sourceSet: entity.sourceSet)
        writer.key("fields")
        writer.row(entity.bytes, kind.layout)
        writer.endObject()
        if !asDocument { writer.newline() }
        if writer.bytes.count >= 32 << 10 {
            output.write(writer.bytes)
            writer.bytes.removeAll(keepingCapacity: true)
        }
    }
    if asDocument {
        writer.endArray()
        writer.endObject()
        writer.newline()
    }
    output.write(writer.bytes)
    output.flush()
}

extension EntityID {
    /// The order of the 32 bytes.
    fileprivate func sortsBefore(_ other: EntityID) -> Bool {
        let mine = [words.0, words.1, words.2, words.3]
        let others = [other.words.0, other.words.1, other.words.2, other.words.3]
        return mine.lazy.map { UInt64(bigEndian: $0) }.lexicographicallyPrecedes(
            others.lazy.map { UInt64(bigEndian: $0) })
    }
}
