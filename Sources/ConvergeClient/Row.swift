import ConvergeSchema

/// The fields of one entity, as the server sent them. A value: it points into the bytes that were received and keeps them.
public struct Row: Sendable, Equatable {
    public let kind: Kind
    private let storage: [UInt8]
    private let start: Int

    /// nil when there are fewer bytes than the kind's rows have. More are fields that this client does not know (K2).
    init?(_ kind: Kind, _ storage: [UInt8], _ range: Range<Int>) {
        guard range.count >= kind.layout.rowBytes else { return nil }
        self.kind = kind
        self.storage = storage
        start = range.lowerBound
    }

    /// The row data: `kind.layout.rowBytes` bytes, as in docs/PROTOCOL.md. Copied.
    public var bytes: [UInt8] { Array(storage[start..<start + kind.layout.rowBytes]) }

    /// The value of a field; nil when the kind has no such field.
    public subscript(field: String) -> Value? {
        kind.layout.ordinal(of: field).map { self[ordinal: $0] }
    }

    /// The value of a field by its place in the definition, 0 being the first.
    public subscript(ordinal ordinal: Int) -> Value {
        withBytes { kind.layout.value(of: ordinal, in: $0) }
    }

    /// All values, in the order of the definition.
    public var values: [Value] { withBytes { kind.layout.decodeRow($0) } }

    /// The row data, valid during the call.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        storage.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start..<start + kind.layout.rowBytes])) }
    }

    public static func == (left: Row, right: Row) -> Bool {
        left.kind.number == right.kind.number
            && left.withBytes { a in right.withBytes { b in a.elementsEqual(b) } }
    }
}
