import ConvergeWire

/// A send's worth of ASSERTs, encoded once: before each send it is copied, and only ids and first values are set in it.
///
///     unit: one ASSERT frame, or one BATCH frame with its items
///     ┌────────────┬────────────┬─────┐
///     │ unit       │ unit       │  …  │   about 64 KiB, what the transport keeps in one piece
///     └────────────┴────────────┴─────┘
struct WriteBlock {
    private static let bytesMax = (64 << 10) - 64

    let bytes: [UInt8]
    let units: Int
    let unitBytes: Int
    /// Writes of a unit.
    let unitOperations: Int
    /// Where the first id of a unit lies in it, and from one id of a unit to the next.
    private let firstID: Int
    private let stride: Int

    /// - Parameter batch: writes in one BATCH frame; 0: every write is a frame.
    init(kind: UInt16, row: [UInt8], batch: Int) {
        var unit = FrameWriter()
        if batch > 0 { unit.beginBatch() }
        for _ in 0..<max(batch, 1) { unit.assert(kind: kind, schema: 1, id: .int(0), data: row) }
        if batch > 0 { unit.endBatch() }
        unitBytes = unit.bytes.count
        unitOperations = max(batch, 1)
        units = max(1, WriteBlock.bytesMax / unitBytes)
        firstID = batch > 0 ? FrameHeader.bytes + 8 + 1 + 4 : FrameHeader.bytes + 4
        stride = 1 + 40 + row.count
        bytes = Array(repeatElement(unit.bytes, count: units).joined())
    }

    /// The first `units` units, with keys from the source, at the front of `room`.
    func fill(_ room: UnsafeMutableRawBufferPointer, units: Int, _ keys: inout some KeySource) {
        let filled = units * unitBytes
        bytes.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<filled])) }
        guard var unit = room.baseAddress else { return }
        for _ in 0..<units {
            var id = unit + firstID
            for _ in 0..<unitOperations {
                let (key, value) = keys.next()
                id.storeBytes(of: key.littleEndian, as: UInt64.self)
                // Behind the id and the data's length: the row's first field.
                id.storeBytes(of: value.littleEndian, toByteOffset: EntityID.bytes + 4, as: UInt64.self)
                id += stride
            }
            unit += unitBytes
        }
    }
}
