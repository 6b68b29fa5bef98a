// CRC-16/XMODEM (polynomial x^16 + x^12 + x^5 + 1, initial value 0, no reflection, no final XOR), least significant bit
// last. On the wire its two bytes are little-endian like every number.
//
// A frame header is always ten bytes, of which the first two are constant. So the hot path has neither loop nor table:
// with P the polynomial, P^2 = x^32 + x^24 + x^10 + 1 and P^4 = x^64 + x^48 + x^20 + 1 are sparse too, and every multiple
// of them is one of P. The 64-bit word is folded to 32 bits by P^2 and to 16 by P, each in one step, with the quotient
// from the reciprocal of the polynomial, which is sparse as well.

/// CRC-16/XMODEM of any bytes, one at a time: for tests and tools.
public func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
    var remainder: UInt16 = 0
    for byte in bytes {
        remainder ^= UInt16(byte) << 8
        for _ in 0..<8 { remainder = remainder << 1 ^ (remainder & 0x8000 == 0 ? 0 : 0x1021) }
    }
    return remainder
}

/// CRC of the ten bytes 01 00, stream (2 bytes, little-endian), opcode (2), payload length (4).
@inlinable
public func headerChecksum(stream: UInt16, opcode: UInt16, payloadBytes: UInt32) -> UInt16 {
    headerChecksum(stream: stream, rest: UInt64(opcode) | UInt64(payloadBytes) << 16)
}

/// `rest` holds header bytes 4 to 9, little-endian, in its low 48 bits; the others are ignored.
@inlinable
func headerChecksum(stream: UInt16, rest: UInt64) -> UInt16 {
    // The message times x^16, in polynomial order: `rest` from x^16 on; bytes 2 and 3, seldom set, from x^64 on.
    var word = (rest << 16).byteSwapped << 16
    if stream != 0 {
        let high = UInt64(stream.byteSwapped)
        word ^= high << 48 ^ high << 20 ^ high
    }
    // Quotient by P^2: times 1 + x^-8 + x^-16 + x^-22 + x^-24. By P: times 1 + x^-4 + x^-8 + x^-11 + x^-12.
    let upper = UInt32(truncatingIfNeeded: word >> 32)
    var quotient = upper ^ upper >> 8
    quotient ^= quotient >> 16 ^ upper >> 22
    let half = UInt32(truncatingIfNeeded: word) ^ quotient ^ quotient << 10 ^ quotient << 24
    quotient = half >> 16 ^ half >> 20
    quotient ^= quotient >> 8 ^ half >> 27
    // 0x6F45: what the constant first bytes, 01 00, contribute.
    return UInt16(truncatingIfNeeded: half ^ quotient ^ quotient << 5 ^ quotient << 12) ^ 0x6F45
}
