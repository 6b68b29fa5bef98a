public import ConvergeWire

/// The flat, reused array that decoded writes go to: Wire's `OperationSink` over the core's own layout.
///
/// Operations point into the receive buffer they were decoded from. The owner applies and clears the buffer before that
/// memory ends. `append` inlines into the decoder: it is the whole cost of an operation on the Swift side.
public struct OperationBuffer: ~Copyable, OperationSink {
    @usableFromInline var operations: UnsafeMutablePointer<Operation>
    @usableFromInline var capacity: Int
    @usableFromInline var base: UnsafeRawPointer
    @usableFromInline var connection: UInt32 = 0
    @usableFromInline var source: UInt8 = 255
    @usableFromInline var held = 0
    @usableFromInline var lastOrdinal: UInt64 = 0

    /// Operations held.
    @inlinable public var count: Int { held }
    /// Ordinal of the last write taken from the current connection (W4).
    @inlinable public var ordinal: UInt64 { lastOrdinal }

    /// - Parameter capacity: operations it holds before it grows, at least 1. It grows only for a BATCH, whose items are
    ///   bounded by the size of a frame.
    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        operations = .allocate(capacity: capacity)
        base = UnsafeRawPointer(operations)
    }

    deinit { operations.deallocate() }

    /// Says where the writes that follow come from.
    /// - Parameters:
    ///   - buffer: what the offsets of `Write` count from; it must stay until the operations are applied.
    ///   - connection: given back with a refusal.
    ///   - source: 0...63, or 255 for a connection that may not write: the core refuses its operations.
    ///   - ordinal: of the connection's last write before these.
    @inlinable
    public mutating func begin(buffer: UnsafeRawPointer, connection: UInt32, source: UInt8, ordinal: UInt64) {
        base = buffer
        self.connection = connection
        self.source = source
        lastOrdinal = ordinal
    }

    @inlinable @inline(__always)
    public mutating func append(_ write: Write) {
        if held == capacity { grow() }
        lastOrdinal &+= 1
        (operations + held).initialize(
            to: Operation(
                id: base + write.idOffset, data: base + write.dataOffset, mask: write.mask, ordinal: lastOrdinal,
                dataBytes: UInt32(truncatingIfNeeded: write.dataBytes), connection: connection, kind: write.kind,
                code: write.code.rawValue, source: source, schema: write.schema))
        held &+= 1
    }

    /// Takes back what a half-decoded BATCH has appended (W9), ordinals included.
    @inlinable
    public mutating func rollBack(to count: Int) {
        lastOrdinal &-= UInt64(held - count)
        held = count
    }

    /// Counts a write that could not be decoded: it has an ordinal, but no operation.
    public mutating func skip() -> UInt64 {
        lastOrdinal &+= 1
        return lastOrdinal
    }

    public mutating func removeAll() { held = 0 }

    /// All of them.
    public var run: OperationRun { OperationRun(base: operations, count: held) }

    public subscript(_ index: Int) -> Operation {
        precondition(index >= 0 && index < held)
        return operations[index]
    }

    @usableFromInline
    mutating func grow() {
        let larger = UnsafeMutablePointer<Operation>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: operations, count: held)
        operations.deallocate()
        operations = larger
        capacity *= 2
    }
}
