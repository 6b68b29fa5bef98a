// Fuzz target of the wire: whatever bytes come, the frame cutter and every decoder answer with a value or an error.
// Compiled into one module with Sources/ConvergeWire (scripts/fuzz.sh).

private struct CountingSink: OperationSink {
    var count = 0
    mutating func append(_ write: Write) { count += 1 }
    mutating func rollBack(to count: Int) { self.count = count }
}

private func decode(_ opcode: UInt16, _ payload: RawSpan) throws(WireError) {
    switch opcode {
    case 0x01: _ = try Connect(payload: payload)
    case 0x04: _ = try Query(payload: payload)
    case 0x05: _ = try Subscribe(payload: payload)
    case 0x06: _ = try Unsubscribe(payload: payload)
    case 0x07: _ = try Heartbeat(payload: payload)
    case 0x0C: _ = try Sync(payload: payload)
    case 0x0E: _ = try Goodbye(payload: payload)
    case 0x10: _ = try CreateKind(payload: payload)
    case 0x11: _ = try GetKind(payload: payload)
    case 0x12: _ = try ListKinds(payload: payload)
    case 0x20: _ = try Admin(payload: payload)
    case 0x80: _ = try Connected(payload: payload)
    case 0x81: _ = try State(payload: payload)
    case 0x82: _ = try Deleted(payload: payload)
    case 0x83: _ = try BootstrapBegin(payload: payload)
    case 0x84: _ = try BootstrapEnd(payload: payload)
    case 0x85: _ = try QueryResult(payload: payload)
    case 0x86: _ = try Subscribed(payload: payload)
    case 0x87: _ = try Unsubscribed(payload: payload)
    case 0x89: _ = try KindInfo(payload: payload)
    case 0x8C: _ = try Synced(payload: payload)
    case 0x8D: _ = try HeartbeatAck(payload: payload)
    case 0x8E: _ = try KindList(payload: payload)
    case 0x8F: _ = try AdminReply(payload: payload)
    case 0x90: _ = try ServerGoodbye(payload: payload)
    case 0xFF: _ = try ErrorMessage(payload: payload)
    default: break
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>, _ size: Int) -> Int32 {
    guard size > 2 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size).bytes
    let opcode = UInt16(data[0]) | UInt16(data[1] & 1) << 8
    let payload = bytes.extracting(2..<size)
    try? decode(opcode & 0xFF, payload)
    var sink = CountingSink()
    for write in [Opcode.assert, .retract, .patch, .batch] {
        let before = sink.count
        do { try decodeWrites(opcode: write, bytes, payload: 2..<size, into: &sink) } catch {
            precondition(sink.count == before, "a refused write stayed in the sink (W9)")
        }
    }
    // The same bytes as a stream: frames are cut one behind the other until one is unfinished or refused.
    var offset = 2
    while offset < size, case .frame(let header) = cutFrame(bytes, at: offset, payloadMax: 4 << 20) {
        let end = offset + FrameHeader.bytes + header.payloadBytes
        precondition(end <= size, "a frame ends behind its buffer")
        try? decode(header.opcode.rawValue, bytes.extracting(offset + FrameHeader.bytes..<end))
        offset = end
    }
    return 0
}
