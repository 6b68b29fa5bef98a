/// Decodes one ASSERT, PATCH or RETRACT payload, or a whole BATCH, into the sink. `payload` lies inside `bytes`. On an error
/// the sink is as it was before (W9). No allocation; everything up to the sink is specialised at the caller.
@inlinable
@inline(__always)
public func decodeWrites<Sink: OperationSink & ~Copyable>(
    opcode: Opcode, _ bytes: RawSpan, payload: Range<Int>, into sink: inout Sink
) throws(WireError) {
    precondition(payload.lowerBound >= 0 && payload.upperBound <= bytes.byteCount)
    let end: Int
    switch opcode.rawValue {
    case 2: end = decodeWrite(.assert, bytes, at: payload.lowerBound, end: payload.upperBound, into: &sink)
    case 3: end = decodeWrite(.retract, bytes, at: payload.lowerBound, end: payload.upperBound, into: &sink)
    case 8: end = decodeWrite(.patch, bytes, at: payload.lowerBound, end: payload.upperBound, into: &sink)
    case 11: return try decodeBatch(bytes, payload: payload, into: &sink)
    default: throw WriteFault.notAWrite(opcode)
    }
    guard end == payload.upperBound else {
        if end >= 0 { sink.rollBack(to: sink.count - 1) }
        throw WriteFault.error(opcode, bytes, payload: payload, end: end, item: nil)
    }
}

@inlinable
@inline(never)
func decodeBatch<Sink: OperationSink & ~Copyable>(
    _ bytes: RawSpan, payload: Range<Int>, into sink: inout Sink
) throws(WireError) {
    let before = sink.count
    guard payload.count >= WriteLayout.batchHeader else {
        throw WriteFault.batchHeader(bytes, payload: payload)
    }
    let header = load(bytes, at: payload.lowerBound, as: UInt64.self)
    let items = Int(header >> 32)
    var offset = payload.lowerBound + WriteLayout.batchHeader
    // Flags are zero, and the shortest item is a RETRACT: a count that cannot be true is refused before anything is read.
    guard header & 0xFFFF_FFFF == 0, items <= (payload.upperBound - offset) / WriteLayout.itemMin else {
        throw WriteFault.batchHeader(bytes, payload: payload)
    }
    var item = 0
    while item < items {
        let start = offset
        let opcode = start < payload.upperBound ? load(bytes, at: start, as: UInt8.self) : 0
        switch opcode {
        case 2: offset = decodeWrite(.assert, bytes, at: start &+ 1, end: payload.upperBound, into: &sink)
        case 3: offset = decodeWrite(.retract, bytes, at: start &+ 1, end: payload.upperBound, into: &sink)
        case 8: offset = decodeWrite(.patch, bytes, at: start &+ 1, end: payload.upperBound, into: &sink)
        default: offset = -1
        }
        guard offset >= 0 else {
            sink.rollBack(to: before)
            throw WriteFault.itemError(bytes, at: start, end: payload.upperBound, item: item + 1, items: items)
        }
        item += 1
    }
    guard offset == payload.upperBound else {
        sink.rollBack(to: before)
        throw WriteFault.trailing(.batch, bytes: payload.upperBound - offset)
    }
}

/// Appends the write whose fields begin at `start` and returns where it ends, or appends nothing and returns -1.
/// `start` and `end` are inside `bytes`, so that no sum here can overflow. `code` is a constant at each call, which leaves
/// one straight path for each.
@inlinable
@inline(__always)
func decodeWrite<Sink: OperationSink & ~Copyable>(
    _ code: WriteCode, _ bytes: RawSpan, at start: Int, end: Int, into sink: inout Sink
) -> Int {
    let head = WriteLayout.head(of: code)
    guard end &- start >= head else { return -1 }
    // kind u16, schema u8 (RETRACT: reserved), flags u8
    let lead = load(bytes, at: start, as: UInt32.self)
    guard lead >> (code == .retract ? 16 : 24) == 0 else { return -1 }
    let dataOffset = start &+ head
    let dataBytes = code == .retract ? 0 : Int(load(bytes, at: dataOffset &- 4, as: UInt32.self))
    guard end &- dataOffset >= dataBytes else { return -1 }
    sink.append(
        Write(
            code: code, kind: UInt16(truncatingIfNeeded: lead), schema: UInt8(truncatingIfNeeded: lead >> 16),
            mask: code == .patch ? load(bytes, at: start &+ WriteLayout.mask, as: UInt64.self) : 0,
            idOffset: start &+ WriteLayout.id, dataOffset: dataOffset, dataBytes: dataBytes))
    return dataOffset &+ dataBytes
}

@inlinable
func load<Number: FixedWidthInteger & BitwiseCopyable>(_ bytes: RawSpan, at offset: Int, as: Number.Type) -> Number {
    Number(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Number.self))
}

/// Offsets and sizes inside the payloads of writes; the data follows the head.
@usableFromInline
enum WriteLayout {
    @inlinable static var id: Int { 4 }
    @inlinable static var mask: Int { 36 }
    @inlinable
    static func head(of code: WriteCode) -> Int {
        switch code {
        case .assert: 40
        case .patch: 48
        case .retract: 36
        }
    }
    @inlinable static var batchHeader: Int { 8 }
    @inlinable static var itemMin: Int { 37 }
}
