import ConvergeClient
import ConvergeJSON

extension Verb {
    static let stats = Verb(
        name: "stats", words: [], summary: "Print the server's counters",
        details: "With --json, the server's document as it is.", run: { try await runStats($0) })
}

private func runStats(_ invocation: Invocation) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let answer = try await client.admin(Array(#"{"command":"stats"}"#.utf8))
    await invocation.end(client)
    let document: JSONValue
    do { document = try JSONValue(parsing: answer) } catch {
        throw CommandFailure(.cannotConnect, "the server's statistics are not JSON: \(error.message)")
    }
    let output = Output()
    if invocation.global.json {
        output.line("\(document)")
    } else {
        var rows: [(name: String, value: String)] = []
        flatten(document, "", &rows)
        let width = rows.map(\.name.count).max() ?? 0
        let digits = rows.map(\.value.count).filter { $0 <= 24 }.max() ?? 0
        for row in rows {
            let space = String(repeating: " ", count: max(0, digits - row.value.count))
            output.line("\(padded(row.name, width))  \(space)\(row.value)")
        }
    }
    output.flush()
    return .ok
}

/// Every leaf of the document with the path to it.
private func flatten(_ value: JSONValue, _ path: String, _ rows: inout [(name: String, value: String)]) {
    switch value {
    case .object(let members):
        for member in members { flatten(member.value, path.isEmpty ? member.key : "\(path).\(member.key)", &rows) }
    case .array(let elements):
        for (index, element) in elements.enumerated() {
            flatten(element, "\(path).\(element["name"]?.string ?? "\(index)")", &rows)
        }
    case .string(let text): rows.append((shown(path), shown(text)))
    case .number(let number): rows.append((shown(path), grouped(number.text)))
    case .bool, .null: rows.append((shown(path), "\(value)"))
    }
}

/// A whole number in groups of three digits.
func grouped(_ text: String) -> String {
    guard text.count > 3, text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return text }
    var groups = ""
    for (index, digit) in text.enumerated() {
        if index > 0, (text.count - index) % 3 == 0 { groups += "," }
        groups.append(digit)
    }
    return groups
}
