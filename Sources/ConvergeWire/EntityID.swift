/// The name of an entity inside its kind: exactly 32 bytes.
public struct EntityID: Hashable, Sendable {
    public static let bytes = 32

    /// The 32 bytes, eight at a time, as they lie in memory.
    public var words: (UInt64, UInt64, UInt64, UInt64)

    @inlinable
    public init(words: (UInt64, UInt64, UInt64, UInt64)) {
        self.words = words
    }

    /// The 32 bytes at `offset`, which must be there.
    @inlinable
    public init(loading span: RawSpan, at offset: Int) {
        words = (
            span.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self),
            span.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self),
            span.unsafeLoadUnaligned(fromByteOffset: offset + 16, as: UInt64.self),
            span.unsafeLoadUnaligned(fromByteOffset: offset + 24, as: UInt64.self)
        )
    }

    /// Refuses anything but exactly 32 bytes.
    public init(bytes: some Collection<UInt8>) throws(EntityIDError) {
        guard bytes.count == EntityID.bytes else {
            throw EntityIDError("an entity id is exactly 32 bytes; \(bytes.count) were given")
        }
        self.init(zeroPadding: bytes)
    }

    /// Copies at most 32 bytes; the rest is zero.
    init(zeroPadding bytes: some Collection<UInt8>) {
        words = (0, 0, 0, 0)
        Swift.withUnsafeMutableBytes(of: &words) { buffer in
            for (index, byte) in bytes.enumerated() { buffer[index] = byte }
        }
    }

    /// The bytes, valid during the call.
    @inlinable
    public func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try withUnsafeBytes(of: words) { (buffer) throws(Failure) in try body(buffer) }
    }

    @inlinable
    public static func == (left: EntityID, right: EntityID) -> Bool {
        left.words == right.words
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}

/// What cannot be an entity id; `description` is a sentence that says what to change.
public struct EntityIDError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) {
        self.description = description
    }
}
