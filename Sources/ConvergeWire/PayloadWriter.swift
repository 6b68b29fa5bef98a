/// Puts a payload's fields from front to back into memory of the caller; used by the encoders of messages. Writing behind
/// the end of the memory is a programming error and traps.
public struct PayloadWriter {
    @usableFromInline let buffer: UnsafeMutableRawBufferPointer
    /// Bytes written so far.
    public private(set) var count = 0

    public init(_ buffer: UnsafeMutableRawBufferPointer) {
        self.buffer = buffer
    }

    public mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(_ value: Number) {
        buffer.storeBytes(of: value.littleEndian, toByteOffset: count, as: Number.self)
        count += MemoryLayout<Number>.size
    }

    public mutating func zeros(_ size: Int) {
        for _ in 0..<size { number(0 as UInt8) }
    }

    public mutating func id(_ id: EntityID) {
        buffer.storeBytes(of: id.words, toByteOffset: count, as: (UInt64, UInt64, UInt64, UInt64).self)
        count += EntityID.bytes
    }

    public mutating func raw(_ bytes: some Collection<UInt8>) {
        let end = count + bytes.count
        precondition(end <= buffer.count)
        UnsafeMutableRawBufferPointer(rebasing: buffer[count..<end]).copyBytes(from: bytes)
        count = end
    }

    /// u16 length and the bytes, of which there are at most 65,535.
    public mutating func token16(_ bytes: some Collection<UInt8>) {
        precondition(bytes.count <= WireLimits.stringBytes, "a token16 or str16 holds at most 65,535 bytes")
        number(UInt16(bytes.count))
        raw(bytes)
    }

    public mutating func str16(_ text: String) {
        token16(text.utf8)
    }
}
