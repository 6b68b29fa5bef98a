internal import ConvergeCore

/// One write as the core takes it: 48 bytes with the layout of `cvg_op`, so that an array of them is handed over as it is.
@frozen
public struct Operation {
    /// 32 bytes.
    public var id: UnsafeRawPointer?
    /// ASSERT: the row's data. PATCH: the masked fields. RETRACT: unused.
    public var data: UnsafeRawPointer?
    /// Presence mask of a PATCH, else 0.
    public var mask: UInt64
    /// Number of the write on its connection (W4).
    public var ordinal: UInt64
    public var dataBytes: UInt32
    /// The server's slot of the connection it came by.
    public var connection: UInt32
    public var kind: UInt16
    /// Opcode: 2 ASSERT, 3 RETRACT, 8 PATCH.
    public var code: UInt8
    /// 0...63; anything above is refused.
    public var source: UInt8
    public var schema: UInt8
    @usableFromInline var reserved: (UInt8, UInt8, UInt8) = (0, 0, 0)

    /// RETRACT has none.
    public var hasData: Bool { code != 3 }

    /// No write, but a job that travels among them (`code` is none of a write's).
    public var job: UnsafeMutableRawPointer? {
        code == Operation.jobCode ? UnsafeMutableRawPointer(mutating: id) : nil
    }

    @usableFromInline static let jobCode: UInt8 = 0xFF

    public init(job: UnsafeMutableRawPointer) {
        self.init(
            id: job, data: job, mask: 0, ordinal: 0, dataBytes: 0, connection: 0, kind: 0,
            code: Operation.jobCode, source: 0, schema: 0)
    }

    @inlinable
    init(
        id: UnsafeRawPointer, data: UnsafeRawPointer, mask: UInt64, ordinal: UInt64, dataBytes: UInt32,
        connection: UInt32, kind: UInt16, code: UInt8, source: UInt8, schema: UInt8
    ) {
        self.id = id
        self.data = data
        self.mask = mask
        self.ordinal = ordinal
        self.dataBytes = dataBytes
        self.connection = connection
        self.kind = kind
        self.code = code
        self.source = source
        self.schema = schema
    }

    /// Whether every field lies where the core looks for it. Checked once an engine.
    static var matchesCore: Bool {
        MemoryLayout<Operation>.size == MemoryLayout<cvg_op>.size
            && MemoryLayout<Operation>.stride == MemoryLayout<cvg_op>.stride
            && MemoryLayout<Operation>.offset(of: \.id) == MemoryLayout<cvg_op>.offset(of: \.id)
            && MemoryLayout<Operation>.offset(of: \.data) == MemoryLayout<cvg_op>.offset(of: \.data)
            && MemoryLayout<Operation>.offset(of: \.mask) == MemoryLayout<cvg_op>.offset(of: \.mask)
            && MemoryLayout<Operation>.offset(of: \.ordinal) == MemoryLayout<cvg_op>.offset(of: \.ordinal)
            && MemoryLayout<Operation>.offset(of: \.dataBytes) == MemoryLayout<cvg_op>.offset(of: \.data_bytes)
            && MemoryLayout<Operation>.offset(of: \.connection) == MemoryLayout<cvg_op>.offset(of: \.connection)
            && MemoryLayout<Operation>.offset(of: \.kind) == MemoryLayout<cvg_op>.offset(of: \.kind)
            && MemoryLayout<Operation>.offset(of: \.code) == MemoryLayout<cvg_op>.offset(of: \.code)
            && MemoryLayout<Operation>.offset(of: \.source) == MemoryLayout<cvg_op>.offset(of: \.source)
            && MemoryLayout<Operation>.offset(of: \.schema) == MemoryLayout<cvg_op>.offset(of: \.schema)
    }
}
