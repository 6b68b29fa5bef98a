import ConvergeClient
import ConvergeJSON

extension Verb {
    static let kindApply = Verb(
        name: "kind apply", words: ["FILE"], summary: "Register the kind that a kind file describes",
        details: """
            Prints the kind's name, its number, and 'created' or 'unchanged'. The same file
            again changes nothing; a file that changes a field is refused. FILE is JSON, or
            - for standard input:

              { "name": "Flight", "durability": "durable",
                "fields": [ { "name": "status", "type": "string", "max": 12 },
                            { "name": "delay_minutes", "type": "i16" } ] }
            """,
        run: { try await runKindApply($0) })

    static let kindList = Verb(
        name: "kind list", words: [], summary: "List the kinds of the server", run: { try await runKindList($0) })

    static let kindShow = Verb(
        name: "kind show", words: ["KIND"], summary: "Print a kind as a kind file", run: { try await runKindShow($0) })
}

private func runKindApply(_ invocation: Invocation) async throws -> ExitCode {
    let file = invocation.words[0]
    let definition: KindDefinition
    do {
        let text = try InputFile.readAll(file, bytesMax: KindFile.bytesMax + 1)
        definition = try KindFile.parse(text, file: file == "-" ? "standard input" : file)
    } catch let error as JSONInputError {
        throw CommandFailure(.usage, error.description)
    }
    let client = try await invocation.connectToWrite()
    let existed = try await isKnown(definition.name, to: client)
    let kind = try await client.register(definition)
    await invocation.end(client)
    let result = existed ? "unchanged" : "created"
    let output = Output()
    if invocation.global.json {
        output.document {
            $0.member("kind", kind.number)
            $0.member("name", kind.name)
            $0.member("schema", kind.schema)
            $0.member("result", result)
        }
    } else {
        output.line("\(kind.name) (kind \(kind.number)): \(result)")
    }
    output.flush()
    return .ok
}

private func isKnown(_ name: String, to client: Client) async throws(ClientError) -> Bool {
    do {
        _ = try await client.kind(named: name)
        return true
    } catch {
        guard error.code == .unknownKind else { throw error }
        return false
    }
}

private func runKindList(_ invocation: Invocation) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let kinds = try await client.kinds()
    await invocation.end(client)
    let output = Output()
    if invocation.global.json {
        output.document { writer in
            writer.key("kinds")
            writer.beginArray()
            for kind in kinds { writer.kind(kind) }
            writer.endArray()
        }
    } else if kinds.isEmpty {
        talk("no kinds yet: register one with 'convergectl kind apply FILE'")
    } else {
        let names = max(4, kinds.map(\.name.count).max() ?? 0)
        output.line(output.paint("KIND  \(padded("NAME", names))  FIELDS  ROW BYTES  DURABILITY", .bold))
        for kind in kinds {
            let columns = [
                padded("\(kind.number)", 4), padded(kind.name, names), padded("\(kind.definition.fields.count)", 6),
                padded(kind.layout.rowBytesText, 9), "\(kind.definition.durability)",
            ]
            output.line(columns.joined(separator: "  "))
        }
    }
    output.flush()
    return .ok
}

extension KindLayout {
    /// Bytes of every row, or of the smallest and the largest.
    fileprivate var rowBytesText: String {
        variableFields == 0 ? "\(fixedBytes)" : "\(fixedBytes)…\(rowBytesMax)"
    }
}

private func runKindShow(_ invocation: Invocation) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let kind = try await invocation.kind(of: client)
    await invocation.end(client)
    let output = Output()
    if invocation.global.json {
        var writer = JSONWriter()
        writer.kind(kind)
        output.line(writer.text)
    } else {
        let file = KindFile.render(kind.definition)
        output.line(file.hasSuffix("\n") ? String(file.dropLast()) : file)
    }
    output.flush()
    return .ok
}
