public import ConvergeWire

/// Frames as bytes, right or wrong, as a test asks for them.
public enum Frames {
    /// A frame with any payload.
    public static func frame(_ opcode: Opcode, stream: UInt16 = 0, payload: [UInt8] = []) -> [UInt8] {
        header(opcode, stream: stream, payloadBytes: payload.count) + payload
    }

    /// A header alone, with the right CRC.
    public static func header(_ opcode: Opcode, stream: UInt16 = 0, payloadBytes: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: FrameHeader.bytes)
        bytes.withUnsafeMutableBytes {
            FrameHeader(stream: stream, opcode: opcode, payloadBytes: payloadBytes).encode(into: $0)
        }
        return bytes
    }

    public static func message(_ message: some Message, stream: UInt16 = 0) -> [UInt8] {
        write { $0.message(message, stream: stream) }
    }

    /// Whatever is written into the writer.
    public static func write(_ body: (inout FrameWriter) -> Void) -> [UInt8] {
        var writer = FrameWriter()
        body(&writer)
        return writer.bytes
    }

    public static func assert(_ kind: UInt16, _ id: EntityID, _ data: [UInt8], schema: UInt8 = 1) -> [UInt8] {
        write { $0.assert(kind: kind, schema: schema, id: id, data: data) }
    }

    public static func patch(
        _ kind: UInt16, _ id: EntityID, mask: UInt64, _ data: [UInt8], schema: UInt8 = 1
    ) -> [UInt8] {
        write { $0.patch(kind: kind, schema: schema, id: id, mask: mask, data: data) }
    }

    public static func retract(_ kind: UInt16, _ id: EntityID) -> [UInt8] {
        write { $0.retract(kind: kind, id: id) }
    }
}
