import ConvergeSchema

/// The fields of one entity, as the server sent them: valid values, because rows that break their definition (K4) are a
/// violation of the protocol. A value: it points into the bytes that were received and keeps them.
public struct Row: Sendable, Equatable {
    public let kind: Kind
    private let storage: [UInt8]
    /// A newer schema's may be longer than the kind's: then it ends with fields that this client does not know (K2), and the
    /// variable zone does, too.
    private let fixed: Range<Int>
    private let variable: Range<Int>

    /// - Parameter fixedBytes: how much of `range` is the fixed zone.
    init(_ kind: Kind, _ storage: [UInt8], _ range: Range<Int>, fixedBytes: Int) throws(ClientError) {
        let middle = min(range.lowerBound + fixedBytes, range.upperBound)
        self.kind = kind
        self.storage = storage
        fixed = range.lowerBound..<middle
        variable = middle..<range.upperBound
        do throws(SchemaError) {
            let bytes = storage.span.bytes
            try kind.layout.validateRow(fixed: bytes.extracting(fixed), variable: bytes.extracting(variable))
        } catch {
            throw .violation(error.description)
        }
    }

    /// The row data as `kind.layout` lays it out and docs/PROTOCOL.md describes it: the fixed zone, then the variable zone.
    public var bytes: [UInt8] {
        let layout = kind.layout
        let variableBytes = layout.variableBytes(fixed: storage.span.bytes.extracting(fixed))
        return Array(storage[fixed].prefix(layout.fixedBytes) + storage[variable].prefix(variableBytes))
    }

    /// The value of a field; nil when the kind has no such field.
    public subscript(field: String) -> Value? {
        kind.layout.ordinal(of: field).map { self[ordinal: $0] }
    }

    /// The value of a field by its place in the definition, 0 being the first.
    public subscript(ordinal ordinal: Int) -> Value {
        let bytes = storage.span.bytes
        return kind.layout.value(
            of: ordinal, fixed: bytes.extracting(fixed), variable: bytes.extracting(variable))
    }

    /// All values, in the order of the definition.
    public var values: [Value] {
        let bytes = storage.span.bytes
        return kind.layout.decodeRow(fixed: bytes.extracting(fixed), variable: bytes.extracting(variable))
    }

    /// The two zones, valid during the call.
    func withZones<Result>(_ body: (RawSpan, RawSpan) -> Result) -> Result {
        let bytes = storage.span.bytes
        return body(bytes.extracting(fixed), bytes.extracting(variable))
    }

    public static func == (left: Row, right: Row) -> Bool {
        left.kind.number == right.kind.number && left.bytes == right.bytes
    }
}
