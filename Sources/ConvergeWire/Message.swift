/// A message with its own payload: everything but the writes. Decoding copies what it keeps.
///
/// Strings and tokens hold at most 65,535 bytes: encoding longer ones is a programming error and traps.
public protocol Message: Sendable {
    static var opcode: Opcode { get }
    /// Takes the fields of the payload in order.
    init(reading reader: inout PayloadReader) throws(WireError)
    /// The exact length of the encoded payload.
    var payloadBytes: Int { get }
    func encode(into writer: inout PayloadWriter)
}

extension Message {
    /// Decodes a whole payload. Messages that a server receives refuse trailing bytes.
    public init(payload: RawSpan) throws(WireError) {
        self = try payload.withUnsafeBytes { (bytes) throws(WireError) in
            var reader = PayloadReader(bytes, of: Self.opcode)
            let message = try Self(reading: &reader)
            try reader.finish()
            return message
        }
    }

    /// The exact length of the encoded frame.
    public var frameBytes: Int { FrameHeader.bytes + payloadBytes }

    /// Writes header and payload to the front of the buffer, which has at least `frameBytes`. Returns the bytes written.
    @discardableResult
    public func encodeFrame(stream: UInt16, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let payloadBytes = payloadBytes
        precondition(buffer.count - FrameHeader.bytes >= payloadBytes)
        FrameHeader(stream: stream, opcode: Self.opcode, payloadBytes: payloadBytes).encode(into: buffer)
        let payload = buffer[FrameHeader.bytes..<FrameHeader.bytes + payloadBytes]
        var writer = PayloadWriter(UnsafeMutableRawBufferPointer(rebasing: payload))
        encode(into: &writer)
        precondition(writer.count == payloadBytes)
        return FrameHeader.bytes + payloadBytes
    }
}
