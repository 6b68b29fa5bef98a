// Fuzz target of the schema: definitions from the wire, kind files and other JSON, and rows of what they define.
//
//   input: what u8 │ bytes
//   what & 7: 0 a definition   1 a kind file   2 a JSON document   3 a row   4 differences from a row that is right
//             5 values as JSON
import ConvergeJSON
import ConvergeSchema

private let definitions = reach.add("definition, binary")
private let registrations = reach.add("definition, registered")
private let kindFiles = reach.add("kind file")
private let documents = reach.add("JSON document (ADMIN)")
private let rows = reach.add("row")
private let values = reach.add("values as JSON")

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    _ = (reportAtExit, definitions, registrations, kindFiles, documents, rows, values)
    guard size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data + 1, count: size - 1))
    switch data[0] & 7 {
    case 0: takeDefinition(bytes)
    case 1:
        let definition = try? KindFile.parse(bytes, file: "fuzz.json")
        reach.count(kindFiles, definition != nil)
        guard let definition else { break }
        let again = try! KindFile.parse(Array(KindFile.render(definition).utf8), file: "rendered.json")
        precondition(again == definition, "a kind file changed on its way")
    case 2: reach.count(documents, (try? JSONValue(parsing: bytes)) != nil)
    case 3: takeRow(bytes)
    case 4:
        var row = rightRow
        for (index, byte) in bytes.enumerated() {
            if index < row.count { row[index] ^= byte } else { row.append(byte) }
        }
        takeRow(row)
    case 5:
        let parsed = try? FieldValues.parse(bytes, for: everyType)
        let row = parsed.flatMap { try? everyType.encodeRow($0) }
        reach.count(values, row != nil)
        if let row { try! everyType.validateRow(row.span.bytes) }
    default: break
    }
    return 0
}

private func takeDefinition(_ bytes: [UInt8]) {
    let definition = try? KindDefinition(encoded: bytes)
    reach.count(definitions, definition != nil)
    guard let definition else { return }
    precondition(try! KindDefinition(encoded: definition.encoded()) == definition, "a definition changed on its way")
    var registry = KindRegistry()
    let kind = try? registry.register(definition).kind
    reach.count(registrations, kind != nil)
    guard let kind else { return }
    precondition(try! registry.register(definition) == (kind, false), "the same again is not the same (K1)")
}

/// A row of a kind of every type: validated, decoded, written as JSON and read again.
private func takeRow(_ row: [UInt8]) {
    let isValid = (try? everyType.validateRow(row.span.bytes)) != nil
    reach.count(rows, isValid)
    guard isValid else { return }
    var writer = JSONWriter()
    writer.row(row, everyType)
    let values = try! FieldValues.parse(writer.bytes, for: everyType)
    precondition(try! everyType.encodeRow(values).count == row.count, "a row changed on its way")
}

private let everyType: KindLayout = {
    let file = #"""
        { "name": "Every", "fields": [
          { "name": "flag", "type": "bool" }, { "name": "count", "type": "u16" }, { "name": "ratio", "type": "f32" },
          { "name": "code", "type": "string", "max": 4 }, { "name": "raw", "type": "bytes", "max": 3 },
          { "name": "note", "type": "varstring", "max": 32 }, { "name": "blob", "type": "varbytes", "max": 32 },
          { "name": "place", "type": "struct", "fields": [ { "name": "x", "type": "i8" }, { "name": "name", "type": "string", "max": 3 } ] },
          { "name": "marks", "type": "array", "max": 4, "element": { "type": "u8" } },
          { "name": "tags", "type": "array", "max": 3, "element": { "type": "string", "max": 2 } },
          { "name": "path", "type": "array", "max": 2, "element": { "type": "struct", "fields": [ { "name": "on", "type": "bool" } ] } } ] }
        """#
    return try! KindLayout(KindFile.parse(Array(file.utf8), file: "every.json"))
}()

private let rightRow: [UInt8] = {
    let text =
        #"{"flag":true,"count":7,"code":"ab","note":"é","blob":"hex:01ff","place":{"x":-1,"name":"z"},"marks":[1,2],"tags":["a"]}"#
    return try! everyType.encodeRow(FieldValues.parse(Array(text.utf8), for: everyType))
}()
