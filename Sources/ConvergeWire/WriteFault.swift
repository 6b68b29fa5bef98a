/// The sentences about writes that cannot be decoded. Off the hot path: each looks at the bytes again.
@usableFromInline
enum WriteFault {
    @inline(never)
    @usableFromInline
    static func notAWrite(_ opcode: Opcode) -> WireError {
        WireError(.unknownOpcode, "\(opcode) is not a write: only ASSERT, PATCH, RETRACT and BATCH are")
    }

    @inline(never)
    @usableFromInline
    static func trailing(_ opcode: Opcode, bytes: Int) -> WireError {
        WireError(
            .malformedMessage,
            "\(opcode) has \(bytes) trailing bytes behind its last field: the payload length must end with it")
    }

    @inline(never)
    @usableFromInline
    static func batchHeader(_ bytes: RawSpan, payload: Range<Int>) -> WireError {
        guard payload.count >= WriteLayout.batchHeader else {
            return WireError(
                .malformedMessage,
                "BATCH begins with flags (u32) and count (u32), 8 bytes; its payload has \(payload.count)")
        }
        let flags = load(bytes, at: payload.lowerBound, as: UInt32.self)
        guard flags == 0 else {
            return WireError(.unsupported, "BATCH flags are \(flags); none is defined yet: send 0")
        }
        let count = load(bytes, at: payload.lowerBound + 4, as: UInt32.self)
        return WireError(
            .malformedMessage,
            "BATCH says it has \(count) items, but \(payload.count - WriteLayout.batchHeader) bytes follow, and the "
                + "shortest item has \(WriteLayout.itemMin): send as many items as 'count' says")
    }

    /// `end`: where the write was found to end, or -1.
    @inline(never)
    @usableFromInline
    static func error(_ opcode: Opcode, _ bytes: RawSpan, payload: Range<Int>, end: Int, item: String?) -> WireError {
        guard let code = UInt8(exactly: opcode.rawValue).flatMap(WriteCode.init(rawValue:)) else {
            return notAWrite(opcode)
        }
        guard end < 0 else { return trailing(opcode, bytes: payload.upperBound - end) }
        let name = item.map { "\($0), \(opcode)," } ?? "\(opcode)"
        let head = WriteLayout.head(of: code)
        guard payload.count >= head else {
            return WireError(
                .malformedMessage, "\(name) is cut off: its fixed fields take \(head) bytes, \(payload.count) are there"
            )
        }
        let flags = load(bytes, at: payload.lowerBound + 3, as: UInt8.self)
        guard flags == 0 else {
            return flags == 1
                ? WireError(
                    .unsupported, "\(name) carries metadata (flag 1), which is not supported yet: clear the flag")
                : WireError(
                    .malformedMessage, "\(name) has flags \(flags): bits other than 1 are not defined, clear them")
        }
        guard code != .retract else {
            let reserved = load(bytes, at: payload.lowerBound + 2, as: UInt8.self)
            return WireError(.malformedMessage, "\(name) has \(reserved) in its reserved byte: send 0")
        }
        let given = load(bytes, at: payload.lowerBound + head - 4, as: UInt32.self)
        return WireError(
            .malformedMessage,
            "\(name) gives 'data_len' as \(given), but \(payload.count - head) bytes are left: "
                + "the data must lie inside the payload")
    }

    /// The item at `start` of a BATCH; `item` counts from 1.
    @inline(never)
    @usableFromInline
    static func itemError(_ bytes: RawSpan, at start: Int, end: Int, item: Int, items: Int) -> WireError {
        let name = "BATCH item \(item) of \(items)"
        guard start < end else {
            return WireError(.malformedMessage, "\(name) is missing: the payload ends before it")
        }
        let opcode = Opcode(rawValue: UInt16(load(bytes, at: start, as: UInt8.self)))
        guard [.assert, .patch, .retract].contains(opcode) else {
            return opcode == .batch
                ? WireError(.malformedMessage, "\(name) is a BATCH: batches do not nest")
                : WireError(.malformedMessage, "\(name) is \(opcode): items are ASSERT, PATCH and RETRACT")
        }
        return error(opcode, bytes, payload: start + 1..<end, end: -1, item: name)
    }
}
