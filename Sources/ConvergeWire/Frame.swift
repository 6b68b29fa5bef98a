/// The decoded header of a frame.
public struct FrameHeader: Hashable, Sendable {
    /// Bytes of a header.
    public static let bytes = 12

    /// Pairs a reply with its request; 0 on writes and notifications.
    public var stream: UInt16
    public var opcode: Opcode
    public var payloadBytes: Int

    @inlinable
    public init(stream: UInt16, opcode: Opcode, payloadBytes: Int) {
        self.stream = stream
        self.opcode = opcode
        self.payloadBytes = payloadBytes
    }

    /// Writes the 12 bytes. `payloadBytes` is below 2^32, and the buffer holds at least 12 bytes.
    @inlinable
    public func encode(into buffer: UnsafeMutableRawBufferPointer) {
        precondition(buffer.count >= FrameHeader.bytes)
        let length = UInt32(payloadBytes)
        let rest = UInt64(opcode.rawValue) | UInt64(length) << 16
        let checksum = headerChecksum(stream: stream, rest: rest)
        buffer.storeBytes(of: (UInt32(stream) << 16 | 1).littleEndian, toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: (rest | UInt64(checksum) << 48).littleEndian, toByteOffset: 4, as: UInt64.self)
    }
}

/// What begins at an offset of a byte stream.
public enum FrameCut: Sendable {
    /// A whole frame; its payload lies at offset + 12 and has `payloadBytes`.
    case frame(FrameHeader)
    /// The frame goes on behind the end: `need` is its whole length, or 12 while the header itself is incomplete.
    case incomplete(need: Int)
    /// These bytes are no frame. Fatal: where the next one begins is unknown.
    case refused(WireError)
}

/// Checks the header at `offset` (0...bytes.byteCount) and says whether its frame is there whole.
@inlinable
public func cutFrame(_ bytes: RawSpan, at offset: Int, payloadMax: Int) -> FrameCut {
    precondition(offset >= 0 && offset <= bytes.byteCount)
    let available = bytes.byteCount &- offset
    guard available >= FrameHeader.bytes else { return .incomplete(need: FrameHeader.bytes) }
    let start = UInt32(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    let rest = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 4, as: UInt64.self))
    let stream = UInt16(truncatingIfNeeded: start >> 16)
    let checksum = headerChecksum(stream: stream, rest: rest)
    let payloadBytes = Int(UInt32(truncatingIfNeeded: rest >> 16))
    guard start & 0xFFFF == 1, rest >> 48 == UInt64(checksum), payloadBytes <= payloadMax else {
        return .refused(headerError(bytes, at: offset, payloadMax: payloadMax))
    }
    guard available &- FrameHeader.bytes >= payloadBytes else {
        return .incomplete(need: FrameHeader.bytes + payloadBytes)
    }
    let opcode = Opcode(rawValue: UInt16(truncatingIfNeeded: rest))
    return .frame(FrameHeader(stream: stream, opcode: opcode, payloadBytes: payloadBytes))
}

/// Why the whole header at `offset` is refused.
@inline(never)
@usableFromInline
func headerError(_ bytes: RawSpan, at offset: Int, payloadMax: Int) -> WireError {
    func byte(_ index: Int) -> UInt8 { bytes.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self) }
    if isHTTP(bytes, at: offset) {
        return WireError(
            .unsupportedVersion,
            "this is HTTP, which ConvergeDB does not speak: check which program this address belongs to, and reach "
                + "ConvergeDB with convergectl or a client library")
    }
    guard byte(0) == 1 else {
        return WireError(
            .unsupportedVersion,
            "the first byte of a frame is the protocol version, 1; got \(byte(0)): "
                + "speak version 1, and check that the peer is a ConvergeDB client or server")
    }
    guard byte(1) == 0 else {
        return WireError(.malformedFrame, "the second byte of a frame, its flags, is 0 in version 1; got \(byte(1))")
    }
    let given = UInt16(byte(10)) | UInt16(byte(11)) << 8
    let computed = crc16((0..<10).map(byte))
    guard given == computed else {
        return WireError(
            .malformedFrame,
            "the frame header's CRC does not match: \(hexadecimal(given)) given, \(hexadecimal(computed)) computed; "
                + "it is CRC-16/XMODEM over bytes 0 to 9, stored little-endian, and the header must follow the last "
                + "payload byte of the frame before")
    }
    let payloadBytes = (6..<10).reversed().reduce(0) { $0 << 8 | Int(byte($1)) }
    return WireError(
        .frameTooLarge,
        "the frame's payload has \(payloadBytes) bytes; the limit here is \(payloadMax): send smaller frames")
}

/// Whether what begins here is a request or an answer of HTTP, and no frame. At least 4 bytes are there.
public func isHTTP(_ bytes: RawSpan, at offset: Int) -> Bool {
    let begin = (0..<4).map { bytes.unsafeLoad(fromByteOffset: offset + $0, as: UInt8.self) }
    return ["HTTP", "GET ", "POST", "HEAD", "PUT "].contains { $0.utf8.elementsEqual(begin) }
}

func hexadecimal(_ value: UInt16) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return "0x" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
}
