import ConvergeClient
import ConvergeJSON

/// A field's value as people read it: as JSON, with control characters made visible.
func valueText(_ value: Value, of field: FieldDefinition) -> String {
    var writer = JSONWriter()
    writer.value(value, of: field)
    return shown(writer.text)
}

extension JSONWriter {
    /// `fields` of a row, in the order of the definition.
    mutating func member(_ key: String, _ row: Row) {
        self.key(key)
        self.row(row.values, row.kind.layout)
    }

    mutating func member(_ key: String, names: [String]) {
        self.key(key)
        beginArray()
        for name in names { string(name) }
        endArray()
    }

    /// A source set as the number that the protocol has, and as the list of its members: JSON readers that hold numbers as
    /// doubles lose bits of the first.
    mutating func member(sourceSet set: UInt64) {
        member("source_set", set)
        key("sources")
        beginArray()
        for source in sources(of: set) { integer(source) }
        endArray()
    }

    /// A kind as its kind file has it, with its number and schema version.
    mutating func kind(_ kind: Kind) {
        beginObject()
        member("kind", kind.number)
        member("schema", kind.schema)
        let file = try? JSONValue(parsing: Array(KindFile.render(kind.definition).utf8))
        for part in file?.members ?? [] {
            key(part.key)
            value(part.value)
        }
        endObject()
    }
}

extension Output {
    /// One JSON document on a line.
    func document(_ fill: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        writer.beginObject()
        fill(&writer)
        writer.endObject()
        line(writer.text)
    }
}
