import ConvergeSchema

extension KindFile {
    /// The kind as a kind file, one field a line; `parse` gives the same definition back.
    public static func render(_ definition: KindDefinition) -> String {
        var lines = [
            "{ \"name\": \(quoted(definition.name)),",
            "  \"durability\": \"\(definition.durability)\",",
            "  \"event_stream\": \(definition.eventStream),",
            "  \"fields\": [",
        ]
        for (ordinal, field) in definition.fields.enumerated() {
            let comma = ordinal + 1 < definition.fields.count ? "," : ""
            lines.append("    { \(members(of: field).joined(separator: ", ")) }\(comma)")
        }
        return lines.joined(separator: "\n") + "\n  ] }\n"
    }

    private static func members(of field: FieldDefinition) -> [String] {
        var members = ["\"name\": \(quoted(field.name))", "\"type\": \"\(field.type)\""]
        if field.max != 0 { members.append("\"max\": \(field.max)") }
        if field.owners != 0 {
            let owners = (0..<SchemaLimits.sources).filter { field.owners & 1 << UInt64($0) != 0 }
            members.append("\"owners\": [\(owners.map(String.init).joined(separator: ", "))]")
        }
        if field.onRetract != .keep { members.append("\"on_retract\": \"\(field.onRetract)\"") }
        return members
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return writer.text
    }
}
