public import ConvergeWire

/// A write on its way to the shard of its partition. Its bytes lie one behind the other:
///
///     ├ connection, 8 ┼ entity id, 32 ┼ data ┤        the operation points to the id and the data
///
/// The connection's name tells whom a refusal concerns, whoever has its slot by then.
public enum ForwardedWrite {
    public static let headBytes = 8 + EntityID.bytes

    /// Copies the operation's bytes.
    /// - Parameters:
    ///   - dataBytes: `operation.dataBytes`, or 0 where it has no data.
    ///   - bytes: `headBytes + dataBytes` of them, aligned to 8.
    /// - Returns: the operation, pointing to them.
    @inlinable @inline(__always)
    public static func place(
        _ operation: Operation, connection: UInt64, dataBytes: Int, in bytes: UnsafeMutableRawPointer
    ) -> Operation {
        var forwarded = operation
        bytes.storeBytes(of: connection, as: UInt64.self)
        (bytes + 8).copyMemory(from: operation.id.unsafelyUnwrapped, byteCount: EntityID.bytes)
        forwarded.id = UnsafeRawPointer(bytes + 8)
        if dataBytes > 0, let data = operation.data {
            (bytes + headBytes).copyMemory(from: data, byteCount: dataBytes)
            forwarded.data = UnsafeRawPointer(bytes + headBytes)
        }
        return forwarded
    }

    /// The connection that a forwarded operation came by.
    public static func connection(of operation: Operation) -> UInt64 {
        (operation.id.unsafelyUnwrapped - 8).loadUnaligned(as: UInt64.self)
    }
}
