import ConvergeSchema

// What debuggers, logs and string interpolation show: what a row says, not the bytes that it stands in.

extension Row: CustomStringConvertible {
    /// `zone "market", health 100`.
    public var description: String { description(mask: .max) }

    func description(mask: UInt64) -> String {
        let fields = kind.definition.fields.enumerated().filter { mask >> UInt64($0.offset) & 1 == 1 }
        return fields.map { "\($0.element.name) \(self[ordinal: $0.offset].shown)" }.joined(separator: ", ")
    }
}

extension Change: CustomStringConvertible {
    /// `updated ada v2: health 80`, with the fields that changed.
    public var description: String {
        guard let row else { return "\(what) \(id) v\(version)" }
        return "\(what) \(id) v\(version): \(row.description(mask: changed))"
    }
}

extension Change.What: CustomStringConvertible {
    public var description: String {
        switch self {
        case .created: "created"
        case .updated: "updated"
        case .snapshot: "snapshot"
        case .deleted(nil): "deleted"
        case .deleted(let reason?): "deleted (\(reason))"
        }
    }
}

extension Notification: CustomStringConvertible {
    public var description: String {
        switch self {
        case .change(let change): change.description
        case .bootstrapBegin(let begin): "bootstrap begin, about \(begin.estimate)"
        case .bootstrapEnd(let end): "bootstrap end, \(end.count)"
        }
    }
}

extension Value {
    fileprivate var shown: String {
        switch self {
        case .unsigned(let number): "\(number)"
        case .signed(let number): "\(number)"
        case .float(let number): "\(number)"
        case .bool(let flag): "\(flag)"
        case .string(let text): text.debugDescription
        case .bytes(let bytes): "\(bytes.count) bytes"
        case .array(let elements): "[\(elements.map(\.shown).joined(separator: ", "))]"
        case .structure(let members):
            "{\(members.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.shown)" }.joined(separator: ", "))}"
        }
    }
}
