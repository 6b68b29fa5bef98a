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
        var members = inline(field.name, field.type, field.max)
        if let element = field.element {
            let parts = inline(nil, element, field.elementMax) + (element == .structure ? [fields(field.members)] : [])
            members.append("\"element\": { \(parts.joined(separator: ", ")) }")
        } else if field.type == .structure {
            members.append(fields(field.members))
        }
        if field.owners != 0 {
            let owners = (0..<SchemaLimits.sources).filter { field.owners & 1 << UInt64($0) != 0 }
            members.append("\"owners\": [\(owners.map(String.init).joined(separator: ", "))]")
        }
        if field.onRetract != .keep { members.append("\"on_retract\": \"\(field.onRetract)\"") }
        return members
    }

    private static func inline(_ name: String?, _ type: FieldType, _ max: Int) -> [String] {
        (name.map { ["\"name\": \(quoted($0))"] } ?? []) + ["\"type\": \"\(type)\""]
            + (max != 0 ? ["\"max\": \(max)"] : [])
    }

    private static func fields(_ members: [MemberDefinition]) -> String {
        let texts = members.map { "{ \(inline($0.name, $0.type, $0.max).joined(separator: ", ")) }" }
        return "\"fields\": [\(texts.joined(separator: ", "))]"
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return writer.text
    }
}
