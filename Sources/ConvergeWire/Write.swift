/// The writes, by their opcodes.
public enum WriteCode: UInt8, Sendable {
    case assert = 2
    case retract = 3
    case patch = 8
}

/// One decoded write. Offsets are into the buffer that was given to the decoder, so that a write is plain data.
public struct Write: Hashable, Sendable {
    public var code: WriteCode
    public var kind: UInt16
    /// Schema version that the data was encoded with; 0 for RETRACT.
    public var schema: UInt8
    /// PATCH: bit n = field n is given; else 0.
    public var mask: UInt64
    /// Where the 32 bytes of the id lie.
    public var idOffset: Int
    public var dataOffset: Int
    /// 0 for RETRACT.
    public var dataBytes: Int

    @inlinable
    public init(
        code: WriteCode, kind: UInt16, schema: UInt8, mask: UInt64, idOffset: Int, dataOffset: Int, dataBytes: Int
    ) {
        self.code = code
        self.kind = kind
        self.schema = schema
        self.mask = mask
        self.idOffset = idOffset
        self.dataOffset = dataOffset
        self.dataBytes = dataBytes
    }
}

/// Where decoded writes go, e.g. a reused flat array of operations.
public protocol OperationSink: ~Copyable {
    /// Number of writes taken so far.
    var count: Int { get }
    mutating func append(_ write: Write)
    /// Forgets the writes from `count` on, so that a BATCH with a malformed item leaves nothing (W9).
    mutating func rollBack(to count: Int)
}
