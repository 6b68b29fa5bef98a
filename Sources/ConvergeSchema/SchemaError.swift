/// A definition or value that was refused. `description` is a sentence that names the field and the limit and says what
/// to change.
public struct SchemaError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Hashable, CaseIterable {
        /// Definitions.
        case invalidDefinition, unsupported, reservedName, schemaConflict, limitReached
        /// Values.
        case unknownField, duplicateField, wrongType, outOfRange, valueTooLong
        /// Row bytes.
        case wrongLength, invalidBool, invalidUTF8, nonzeroPadding
    }

    /// The part of a definition at fault, so that a reader of kind files can say in which line it stands.
    public enum Part: Sendable, Hashable {
        case name, durability, eventStream, schema, fields
        case fieldName, type, max, owners, onRetract
        case element, elementType, elementMax
        case members, memberName, memberType, memberMax
    }

    public var code: Code
    public var description: String
    /// Name of the field at fault, if it is one field.
    public var field: String?
    /// Ordinal of the field at fault in a definition.
    public var ordinal: Int?
    /// Ordinal of the member at fault in its struct.
    public var member: Int?
    public var part: Part?

    public init(
        _ code: Code, _ description: String, field: String? = nil, ordinal: Int? = nil, member: Int? = nil,
        part: Part? = nil
    ) {
        self.code = code
        self.description = description
        self.field = field
        self.ordinal = ordinal
        self.member = member
        self.part = part
    }
}
