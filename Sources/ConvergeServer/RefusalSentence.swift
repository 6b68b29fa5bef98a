import ConvergeEngine
import ConvergeSchema
import ConvergeWire

extension RefusedWrite {
    var code: WireErrorCode {
        switch reason {
        case .malformed(let error): error.code
        case .status(let status, _, _), .value(let status, _): status.wireCode
        }
    }

    /// Which kind and field, which limit, what to change.
    func sentence(_ registry: KindRegistry) -> String {
        switch reason {
        case .malformed(let error): error.description
        case .status(let status, let field, let facts): sentence(status, field, facts, registry)
        case .value(let status, let fault):
            "in '\(registry[kind]?.definition.name ?? "\(kind)")' \(fault)\(status.remedyOfValue)"
        }
    }

    private func sentence(
        _ status: EngineStatus, _ ordinal: Int?, _ facts: Facts, _ registry: KindRegistry
    ) -> String {
        if status == .invalidSource {
            return "this connection is read-only: connect without the read_only flag to write"
        }
        guard let entry = registry[kind] else {
            return "there is no kind \(kind): register it with CREATE_KIND, or ask for its number with GET_KIND"
        }
        let name = "'\(entry.definition.name)'"
        let field = ordinal.flatMap { $0 < entry.layout.fields.count ? entry.layout.fields[$0] : nil }
        let place = field.map { "field '\($0.name)' of \(name)" } ?? "a field of \(name)"
        switch status {
        case .unknownSchemaVersion:
            return "\(name) has schema version \(entry.definition.schema), the write was encoded with \(facts.schema): "
                + "ask for the definition with GET_KIND and encode with that"
        case .wrongLength:
            let layout = entry.layout
            let mask = opcode == .patch ? facts.mask & layout.allFields : layout.allFields
            let what = opcode == .patch ? "the masked fields of it take" : "a row of it takes"
            let carries = "\(opcode) of \(name) carries \(facts.dataBytes) bytes of data, but \(what) "
            guard mask & layout.variableFields != 0 else {
                return "\(carries)exactly \(layout.fixedBytes(mask: mask)): encode by the offsets of its definition"
            }
            return
                "\(carries)\(layout.fixedBytes(mask: mask)) and as many as the entries of the variable fields say: append "
                + "the bytes of all variable fields in ordinal order"
        case .unknownField:
            let stray = (facts.mask & ~entry.layout.allFields).trailingZeroBitCount
            return "the presence mask names field \(stray), but \(name) has \(entry.layout.fields.count) fields, 0 to "
                + "\(entry.layout.fields.count - 1): clear the bits without a field"
        case .invalidBool:
            return "\(place) \(field?.type == .bool ? "is" : "has") a bool: send 0 or 1"
        case .valueTooLong:
            return field.map { tooLong($0, place) } ?? "\(place) is too long: shorten the value"
        case .invalidUTF8:
            return
                "\(place) \(field.map(Self.isString) ?? true ? "is" : "has") a string and must be valid UTF-8: re-encode "
                + "it, or make it bytes"
        case .nonzeroPadding:
            let isOneValue = field?.type == .string || field?.type == .bytes
            return
                "\(place) has bytes that are not zero behind the end of \(isOneValue ? "its" : "a") value: fill it up to "
                + "\(isOneValue ? "\(field?.max ?? 0)" : "its max") with zeros"
        case .notOwner:
            let owners = (0..<64).filter { (field?.owners ?? 0) >> UInt64($0) & 1 == 1 }.map(String.init)
            return
                "\(place) is owned by source \(owners.joined(separator: ", ")), and this connection writes as source "
                + "\(facts.source): leave the field out of the PATCH"
        case .outOfMemory:
            return "the server has no memory for this write to \(name): retract what is not needed, or give it more"
        case .tooManyRows:
            return "\(name) has reached 4,294,967,294 rows, the limit of a kind: spread the entities over several kinds"
        default:
            return "\(opcode) to \(name) was refused: \(status)"
        }
    }
}

extension RefusedWrite {
    /// The core says which field; in an array or struct, not which part of it.
    private func tooLong(_ field: FieldDefinition, _ place: String) -> String {
        switch field.type {
        case .array where field.element?.hasMax == true || field.element == .structure:
            "\(place) holds at most \(field.max) elements, and each value in it at most its own max: send fewer or shorter ones"
        case .array: "\(place) holds at most \(field.max) elements: send fewer"
        case .structure: "\(place) holds a string or bytes value that is longer than its max: shorten it"
        default: "\(place) holds at most \(field.max) bytes: shorten the value"
        }
    }

    private static func isString(_ field: FieldDefinition) -> Bool {
        field.type == .string || field.type == .varstring
    }
}

extension EngineStatus {
    /// Whether a value is at fault, not the write as a whole.
    var isOfValue: Bool {
        self == .invalidBool || self == .valueTooLong || self == .invalidUTF8 || self == .nonzeroPadding
    }

    /// What to change, where the fault's own sentence ends before it.
    fileprivate var remedyOfValue: String {
        switch self {
        case .valueTooLong: ": send less"
        case .invalidUTF8: ": re-encode it, or make it bytes"
        case .nonzeroPadding: ": fill it up with zeros"
        default: ""
        }
    }

    var wireCode: WireErrorCode {
        switch self {
        case .outOfMemory: .outOfMemory
        case .unknownKind: .unknownKind
        case .invalidDefinition: .invalidDefinition
        case .invalidSource: .readOnly
        case .unknownSchemaVersion: .unknownSchemaVersion
        case .wrongLength: .wrongLength
        case .unknownField: .unknownField
        case .invalidBool: .invalidBool
        case .valueTooLong: .valueTooLong
        case .invalidUTF8: .invalidUTF8
        case .nonzeroPadding: .nonzeroPadding
        case .notOwner: .notOwner
        case .tooManyRows: .limitReached
        case .kindExists: .schemaConflict
        case .invalidOperation, .windowFull, .batchSealed, .nothingPending, .bufferTooSmall: .malformedMessage
        }
    }
}
