// Fuzz target of the schema: a definition from the wire and a kind file, and rows of what they define.
import ConvergeJSON
import ConvergeSchema

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    guard size > 1 else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data + 1, count: size - 1))
    switch data[0] & 3 {
    case 0:
        guard let definition = try? KindDefinition(encoded: bytes) else { return 0 }
        precondition(
            try! KindDefinition(encoded: definition.encoded()) == definition, "a definition changed on its way")
        var registry = KindRegistry()
        guard let kind = try? registry.register(definition).kind else { return 0 }
        precondition(try! registry.register(definition) == (kind, false), "the same again is not the same (K1)")
    case 1:
        guard let definition = try? KindFile.parse(bytes, file: "fuzz.json") else { return 0 }
        let again = try! KindFile.parse(Array(KindFile.render(definition).utf8), file: "rendered.json")
        precondition(again == definition, "a kind file changed on its way")
    case 2:
        _ = try? JSONValue(parsing: bytes)
    default:
        // A row of a kind of every type: validated, decoded, written as JSON and read again.
        guard (try? everyType.validateRow(bytes.span.bytes)) != nil else { return 0 }
        var writer = JSONWriter()
        writer.row(bytes, everyType)
        let values = try! FieldValues.parse(writer.bytes, for: everyType)
        precondition(try! everyType.encodeRow(values).count == bytes.count, "a row changed on its way")
    }
    return 0
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
