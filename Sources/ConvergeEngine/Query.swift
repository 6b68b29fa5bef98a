internal import ConvergeCore
public import ConvergeWire

extension Engine {
    /// Bytes that every QUERY_RESULT frame of the kind fits in; 0: no such kind.
    public func queryFrameBytesMax(kind: UInt16) -> Int { cvg_query_frame_bytes_max(core, kind) }

    /// Writes a whole QUERY_RESULT frame (R1) from the installed state (F3).
    /// - Returns: its bytes.
    /// - Throws: `unknownKind`, `bufferTooSmall`.
    public func encodeQuery(
        kind: UInt16, id: EntityID, stream: UInt16, into buffer: UnsafeMutableRawBufferPointer
    ) throws(EngineStatus) -> Int {
        var bytes = 0
        let status = id.withBytes { id in
            cvg_encode_query(
                core, kind, id.baseAddress?.assumingMemoryBound(to: UInt8.self), stream,
                buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count, &bytes)
        }
        try EngineStatus.check(status)
        return bytes
    }

    /// Alive entities of the kind in the installed state; 0 when there is no such kind.
    public func entities(kind: UInt16) -> UInt64 { cvg_kind_entities(core, kind) }

    /// Entities that the source (0...63) asserts in the installed state.
    public func entities(source: UInt8) -> UInt64 { cvg_source_entities(core, source) }
}
