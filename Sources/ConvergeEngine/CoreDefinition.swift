internal import ConvergeCore
import ConvergeSchema

/// A kind's definition as the core reads it.
enum CoreDefinition {
    /// Calls `body` with the definition; what it points to lives during the call. The members of all structs stand one behind
    /// the other, each field's from where the ones before it end.
    static func with<Result>(_ definition: KindDefinition, _ body: (cvg_definition) -> Result) -> Result {
        let members = definition.fields.flatMap { field in
            field.members.map { cvg_member(max: UInt16(clamping: $0.max), type: $0.type.rawValue) }
        }
        return members.withUnsafeBufferPointer { members in
            var first = 0
            let fields = definition.fields.map { field in
                defer { first += field.members.count }
                return cvg_field(
                    owners: field.owners, members: field.members.isEmpty ? nil : members.baseAddress.map { $0 + first },
                    max: UInt16(clamping: field.max), element_max: UInt16(clamping: field.elementMax),
                    type: field.type.rawValue, on_retract: field.onRetract.rawValue,
                    element: field.element?.rawValue ?? 0, member_count: UInt8(clamping: field.members.count))
            }
            return fields.withUnsafeBufferPointer { fields in
                body(
                    cvg_definition(
                        fields: fields.baseAddress, field_count: UInt16(clamping: fields.count),
                        schema: definition.schema))
            }
        }
    }
}
