// Fuzz target of the wire: whatever bytes come, the frame cutter and every decoder answer with a value or an error.
// Compiled into one module with Sources/ConvergeWire (scripts/fuzz.sh).
//
//   input: how u8 │ frames, one behind the other
//   how & 3: 0  the payload of the first frame goes to the decoder of its opcode, whatever else its header says
//            1  the bytes are a stream, as they are
//            2  the same, with the checksum of every header put right: what lies behind it is reached
//            3  the same, and a length that goes beyond the end ends there

private struct CountingSink: OperationSink {
    var count = 0
    mutating func append(_ write: Write) { count += 1 }
    mutating func rollBack(to count: Int) { self.count = count }
}

/// - Returns: false when no message has this opcode yet.
private func decode(_ opcode: Opcode, _ bytes: RawSpan, _ range: Range<Int>) throws(WireError) -> Bool {
    let payload = bytes.extracting(range)
    switch opcode {
    case .assert, .retract, .patch, .batch:
        var sink = CountingSink()
        do { try decodeWrites(opcode: opcode, bytes, payload: range, into: &sink) } catch {
            precondition(sink.count == 0, "a refused write stayed in the sink (W9)")
            throw error
        }
    case .connect: _ = try Connect(payload: payload)
    case .query: _ = try Query(payload: payload)
    case .subscribe: _ = try Subscribe(payload: payload)
    case .unsubscribe: _ = try Unsubscribe(payload: payload)
    case .heartbeat: _ = try Heartbeat(payload: payload)
    case .sync: _ = try Sync(payload: payload)
    case .goodbye: _ = try Goodbye(payload: payload)
    case .createKind: _ = try CreateKind(payload: payload)
    case .getKind: _ = try GetKind(payload: payload)
    case .listKinds: _ = try ListKinds(payload: payload)
    case .admin: _ = try Admin(payload: payload)
    case .connected: _ = try Connected(payload: payload)
    case .state: _ = try State(payload: payload)
    case .deleted: _ = try Deleted(payload: payload)
    case .bootstrapBegin: _ = try BootstrapBegin(payload: payload)
    case .bootstrapEnd: _ = try BootstrapEnd(payload: payload)
    case .queryResult: _ = try QueryResult(payload: payload)
    case .subscribed: _ = try Subscribed(payload: payload)
    case .unsubscribed: _ = try Unsubscribed(payload: payload)
    case .kindInfo: _ = try KindInfo(payload: payload)
    case .synced: _ = try Synced(payload: payload)
    case .heartbeatAck: _ = try HeartbeatAck(payload: payload)
    case .kindList: _ = try KindList(payload: payload)
    case .adminReply: _ = try AdminReply(payload: payload)
    case .serverGoodbye: _ = try ServerGoodbye(payload: payload)
    case .error: _ = try ErrorMessage(payload: payload)
    default: return false
    }
    return true
}

/// By opcode: where it is counted, -1 for one without a message.
private let decoders: [Int] = (0...0xFF).map { number in
    let opcode = Opcode(rawValue: UInt16(number))
    let exists = (try? decode(opcode, [UInt8]().span.bytes, 0..<0)) ?? true
    return exists ? reach.add("\(opcode)") : -1
}
private let cutter = reach.add("frame cutter")

private func decodeCounted(_ opcode: Opcode, _ bytes: RawSpan, _ range: Range<Int>) {
    guard opcode.rawValue <= 0xFF, decoders[Int(opcode.rawValue)] >= 0 else { return }
    reach.count(decoders[Int(opcode.rawValue)], (try? decode(opcode, bytes, range)) != nil)
}

/// Puts the header at `offset` right, as `how` says.
private func mend(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int, how: UInt8) {
    let left = bytes.count - offset - FrameHeader.bytes
    guard how >= 2, left >= 0 else { return }
    let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 6, as: UInt32.self)))
    let header = FrameHeader(
        stream: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 2, as: UInt16.self)),
        opcode: Opcode(
            rawValue: UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt16.self))),
        payloadBytes: how == 3 ? min(length, left) : length)
    header.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[offset...]))
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    _ = (reportAtExit, decoders, cutter)
    guard size > FrameHeader.bytes else { return 0 }
    let how = data[0] & 3
    // A copy that ends with its last byte, so that reading past it is noticed.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: size - 1, alignment: 1)
    defer { copy.deallocate() }
    copy.copyMemory(from: UnsafeRawBufferPointer(start: data + 1, count: size - 1))
    if how == 0 {
        let opcode = Opcode(rawValue: UInt16(copy[4]))
        decodeCounted(opcode, UnsafeRawBufferPointer(copy).bytes, FrameHeader.bytes..<copy.count)
        return 0
    }
    // Frames are cut one behind the other until one is unfinished or refused.
    var offset = 0
    while offset < copy.count {
        mend(copy, at: offset, how: how)
        let bytes = UnsafeRawBufferPointer(copy).bytes
        guard case .frame(let header) = cutFrame(bytes, at: offset, payloadMax: 4 << 20) else {
            reach.count(cutter, false)
            break
        }
        reach.count(cutter, true)
        let end = offset + FrameHeader.bytes + header.payloadBytes
        precondition(end <= copy.count, "a frame ends behind its buffer")
        decodeCounted(header.opcode, bytes, offset + FrameHeader.bytes..<end)
        offset = end
    }
    return 0
}
