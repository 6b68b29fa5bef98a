/// What STATE and DELETED share.
@usableFromInline
enum NotificationLayout {
    @inlinable static var stateHead: Int { 72 }
    @inlinable static var deletedHead: Int { 48 }

    static func frame(_ opcode: Opcode, payloadBytes: Int, _ payload: (inout PayloadWriter) -> Void) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: FrameHeader.bytes + payloadBytes)
        frame.withUnsafeMutableBytes { buffer in
            FrameHeader(stream: 0, opcode: opcode, payloadBytes: payloadBytes).encode(into: buffer)
            var writer = PayloadWriter(UnsafeMutableRawBufferPointer(rebasing: buffer[FrameHeader.bytes...]))
            payload(&writer)
        }
        return frame
    }
}

/// The bytes behind the u32 length at `offset`.
@inlinable
func counted(
    _ payload: RawSpan, at offset: Int, _ field: StaticString, of opcode: Opcode
) throws(WireError) -> Range<Int> {
    let left = payload.byteCount - offset - 4
    guard left >= 0 else { throw NotificationFault.length(opcode, field, given: nil, left: left + 4) }
    let count = Int(load(payload, at: offset, as: UInt32.self))
    guard count <= left else { throw NotificationFault.length(opcode, field, given: count, left: left) }
    return offset + 4..<offset + 4 + count
}

/// The sentences about notifications that cannot be decoded.
@usableFromInline
enum NotificationFault {
    @inline(never)
    @usableFromInline
    static func cutOff(_ opcode: Opcode, head: Int, bytes: Int) -> WireError {
        WireError(
            .malformedMessage, "\(opcode) is cut off: its fixed fields take \(head) bytes, \(bytes) are there")
    }

    @inline(never)
    @usableFromInline
    static func unknownType(_ type: UInt8) -> WireError {
        WireError(.unsupported, "\(Opcode.state) has type \(type); this client knows 1 to 3: use a newer client")
    }

    @inline(never)
    @usableFromInline
    static func fixedLength(_ opcode: Opcode, _ fixed: Int, field: StaticString, bytes: Int) -> WireError {
        WireError(.malformedMessage, "\(opcode) gives 'fixed_len' as \(fixed), above its '\(field)' of \(bytes)")
    }

    @inline(never)
    @usableFromInline
    static func length(_ opcode: Opcode, _ field: StaticString, given: Int?, left: Int) -> WireError {
        guard let given else {
            return WireError(
                .malformedMessage, "\(opcode) is cut off: the length of '\(field)' takes 4 bytes, \(left) are left")
        }
        return WireError(
            .malformedMessage,
            "\(opcode) gives the length of '\(field)' as \(given), but \(left) bytes are left: "
                + "the field must lie inside the payload")
    }
}
