/// Encodes frames one behind the other into a buffer that is kept: what a client sends.
///
/// Writes go out as frames of their own, or, between `beginBatch` and `endBatch`, as items of one BATCH. Data is given as
/// the row's bytes (ASSERT) or the masked fields' bytes (PATCH), see ConvergeSchema.
public struct FrameWriter: Sendable {
    /// The frames written so far. Whole ones, unless a batch is open.
    public private(set) var bytes: [UInt8] = []
    /// Items of the batch that is open.
    public private(set) var batchItems = 0
    /// Where the frame of the open batch begins; -1: none is open.
    var batchStart = -1

    public init() {}

    /// Bytes written so far.
    @inlinable
    public var count: Int { bytes.count }

    public mutating func reserveCapacity(_ capacity: Int) {
        bytes.reserveCapacity(capacity)
    }

    public mutating func removeAll(keepingCapacity: Bool = true) {
        bytes.removeAll(keepingCapacity: keepingCapacity)
        batchStart = -1
        batchItems = 0
    }

    /// Bytes of the open batch's frame so far; 0: none is open. A client ends a batch before it reaches `frameMax`.
    public var batchBytes: Int { batchStart < 0 ? 0 : bytes.count - batchStart }

    // MARK: Writes

    public mutating func assert(kind: UInt16, schema: UInt8, id: EntityID, data: RawSpan) {
        let dataBytes = data.byteCount
        appendWrite(.assert, payloadBytes: WriteLayout.head(of: .assert) + dataBytes) { payload in
            FrameWriter.encodeHead(kind: kind, schema: schema, id: id, into: payload)
            payload.storeBytes(of: UInt32(dataBytes).littleEndian, toByteOffset: 36, as: UInt32.self)
            FrameWriter.copy(data, to: payload, at: WriteLayout.head(of: .assert))
        }
    }

    public mutating func patch(kind: UInt16, schema: UInt8, id: EntityID, mask: UInt64, data: RawSpan) {
        let dataBytes = data.byteCount
        appendWrite(.patch, payloadBytes: WriteLayout.head(of: .patch) + dataBytes) { payload in
            FrameWriter.encodeHead(kind: kind, schema: schema, id: id, into: payload)
            payload.storeBytes(of: mask.littleEndian, toByteOffset: WriteLayout.mask, as: UInt64.self)
            payload.storeBytes(of: UInt32(dataBytes).littleEndian, toByteOffset: 44, as: UInt32.self)
            FrameWriter.copy(data, to: payload, at: WriteLayout.head(of: .patch))
        }
    }

    public mutating func retract(kind: UInt16, id: EntityID) {
        appendWrite(.retract, payloadBytes: WriteLayout.head(of: .retract)) { payload in
            FrameWriter.encodeHead(kind: kind, schema: 0, id: id, into: payload)
        }
    }

    public mutating func assert(kind: UInt16, schema: UInt8, id: EntityID, data: [UInt8]) {
        assert(kind: kind, schema: schema, id: id, data: data.span.bytes)
    }

    public mutating func patch(kind: UInt16, schema: UInt8, id: EntityID, mask: UInt64, data: [UInt8]) {
        patch(kind: kind, schema: schema, id: id, mask: mask, data: data.span.bytes)
    }

    // MARK: Batches

    /// Opens a BATCH; until `endBatch` only writes may follow. Batches do not nest.
    public mutating func beginBatch() {
        precondition(batchStart < 0, "a batch is open already")
        batchStart = bytes.count
        append(FrameHeader.bytes + WriteLayout.batchHeader) { $0.initializeMemory(as: UInt8.self, repeating: 0) }
    }

    /// Completes the BATCH. One without items stays a frame: it is valid and does nothing.
    public mutating func endBatch() {
        precondition(batchStart >= 0, "no batch is open")
        let start = batchStart
        let payloadBytes = bytes.count - start - FrameHeader.bytes
        let items = UInt32(batchItems)
        bytes.withUnsafeMutableBytes { buffer in
            let frame = UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
            FrameHeader(stream: 0, opcode: .batch, payloadBytes: payloadBytes).encode(into: frame)
            frame.storeBytes(of: items.littleEndian, toByteOffset: FrameHeader.bytes + 4, as: UInt32.self)
        }
        batchStart = -1
        batchItems = 0
    }

    // MARK: Messages

    public mutating func message(_ message: some Message, stream: UInt16 = 0) {
        precondition(batchStart < 0, "a batch is open: end it first")
        append(message.frameBytes) { message.encodeFrame(stream: stream, into: $0) }
    }

    // MARK: Storage

    /// Room for a write as the batch's next item or as a frame, its opcode and header written.
    private mutating func appendWrite(
        _ code: WriteCode, payloadBytes: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
    ) {
        let isItem = batchStart >= 0
        let head = isItem ? 1 : FrameHeader.bytes
        append(head + payloadBytes) { buffer in
            if isItem {
                buffer[0] = code.rawValue
            } else {
                let opcode = Opcode(rawValue: UInt16(code.rawValue))
                FrameHeader(stream: 0, opcode: opcode, payloadBytes: payloadBytes).encode(into: buffer)
            }
            body(UnsafeMutableRawBufferPointer(rebasing: buffer[head...]))
        }
        if isItem { batchItems += 1 }
    }

    /// `body` initialises exactly `size` bytes at the end.
    private mutating func append(_ size: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
        bytes.append(addingCapacity: size) { output in
            output.withUnsafeMutableBufferPointer { buffer, initialized in
                body(UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<size])))
                initialized = size
            }
        }
    }

    private static func encodeHead(
        kind: UInt16, schema: UInt8, id: EntityID, into payload: UnsafeMutableRawBufferPointer
    ) {
        payload.storeBytes(of: (UInt32(schema) << 16 | UInt32(kind)).littleEndian, toByteOffset: 0, as: UInt32.self)
        payload.storeBytes(of: id.words, toByteOffset: WriteLayout.id, as: (UInt64, UInt64, UInt64, UInt64).self)
    }

    private static func copy(_ data: RawSpan, to payload: UnsafeMutableRawBufferPointer, at offset: Int) {
        data.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: payload[offset...]).copyMemory(from: $0) }
    }
}
