/// Takes a payload's fields from front to back; used by the initialisers of messages. Valid only while the payload is.
public struct PayloadReader {
    @usableFromInline let bytes: UnsafeRawBufferPointer
    @usableFromInline let opcode: Opcode
    /// Where the next field begins.
    public internal(set) var offset = 0

    @usableFromInline
    init(_ bytes: UnsafeRawBufferPointer, of opcode: Opcode) {
        self.bytes = bytes
        self.opcode = opcode
    }

    var remaining: Int { bytes.count - offset }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ field: StaticString, as: Number.Type = Number.self
    ) throws(WireError) -> Number {
        let size = MemoryLayout<Number>.size
        try require(size, field)
        defer { offset += size }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    mutating func id(_ field: StaticString) throws(WireError) -> EntityID {
        try require(EntityID.bytes, field)
        defer { offset += EntityID.bytes }
        return EntityID(
            words: (
                bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: offset + 16, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
            ))
    }

    /// A field that is zero until it gets a meaning: a server refuses anything else, a client does not look.
    mutating func reserved(_ size: Int) throws(WireError) {
        try require(size, "reserved")
        defer { offset += size }
        guard opcode.isFromClient, bytes[offset..<offset + size].contains(where: { $0 != 0 }) else { return }
        throw WireError(
            .malformedMessage, "\(opcode) has a reserved field at offset \(offset) that is not zero: send 0")
    }

    /// Bits outside `known` are refused by a server, dropped by a client.
    mutating func flags<Flags: OptionSet>(_ field: StaticString, known: Flags) throws(WireError) -> Flags
    where Flags.RawValue: FixedWidthInteger & BitwiseCopyable {
        let raw: Flags.RawValue = try number(field)
        guard !opcode.isFromClient || raw & ~known.rawValue == 0 else {
            throw WireError(
                .malformedMessage,
                "\(opcode) has unknown bits in '\(field)': \(raw & ~known.rawValue) is not defined in version 1, clear it"
            )
        }
        return Flags(rawValue: raw & known.rawValue)
    }

    /// The next `count` bytes, given by a length field that has been read.
    mutating func range(_ field: StaticString, count: Int) throws(WireError) -> Range<Int> {
        guard remaining >= count else {
            throw WireError(
                .malformedMessage,
                "\(opcode) gives the length of '\(field)' as \(count), but \(remaining) bytes are left: "
                    + "the field must lie inside the payload")
        }
        defer { offset += count }
        return offset..<offset + count
    }

    mutating func array(_ field: StaticString, count: Int) throws(WireError) -> [UInt8] {
        Array(bytes[try range(field, count: count)])
    }

    /// u16 length and that many bytes of UTF-8.
    mutating func str16(_ field: StaticString) throws(WireError) -> String {
        let count: UInt16 = try number(field)
        let range = try range(field, count: Int(count))
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw WireError(.malformedMessage, "\(opcode) has a '\(field)' that is not valid UTF-8")
        }
        return text
    }

    /// u16 length and that many bytes.
    mutating func token16(_ field: StaticString) throws(WireError) -> [UInt8] {
        let count: UInt16 = try number(field)
        return try array(field, count: Int(count))
    }

    /// Everything up to the end of the payload.
    mutating func rest() -> [UInt8] {
        defer { offset = bytes.count }
        return Array(bytes[offset...])
    }

    /// Behind the last field: a server refuses what is left, a client ignores it.
    func finish() throws(WireError) {
        guard opcode.isFromClient, remaining > 0 else { return }
        throw WriteFault.trailing(opcode, bytes: remaining)
    }

    private func require(_ size: Int, _ field: StaticString) throws(WireError) {
        guard remaining >= size else {
            throw WireError(
                .malformedMessage,
                "\(opcode) is cut off: '\(field)' at offset \(offset) takes \(size) bytes, \(remaining) are left")
        }
    }
}
