internal import ConvergeCore

/// Queries that are answered together: alone, each waits for memory twice. Their ids stay where they were received.
public struct QueryGroup: ~Copyable {
    /// Queries it takes: as many as the core looks up at a time.
    public static let capacity = 64

    let lookups: UnsafeMutablePointer<cvg_lookup>
    public private(set) var count = 0

    public init() { lookups = .allocate(capacity: QueryGroup.capacity) }
    deinit { lookups.deallocate() }

    /// - Parameters:
    ///   - stream: of the answer.
    ///   - id: 32 bytes that stay until the group is answered.
    public mutating func append(kind: UInt16, stream: UInt16, id: UnsafeRawPointer) {
        precondition(count < QueryGroup.capacity)
        let lookup = cvg_lookup(id: id.assumingMemoryBound(to: UInt8.self), kind: kind, stream: stream)
        (lookups + count).initialize(to: lookup)
        count += 1
    }

    public mutating func removeAll() { count = 0 }
}

extension Engine {
    /// Writes the QUERY_RESULT frames of the whole group (R1) from the installed state (F3), in its order. Every kind is there,
    /// and the buffer as long as the kinds' `queryFrameBytesMax` together.
    /// - Returns: their bytes.
    public func encodeQueries(_ group: borrowing QueryGroup, into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var answered = cvg_answered()
        let status = cvg_encode_queries(
            core, group.lookups, group.count, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), buffer.count,
            &answered)
        precondition(status == CVG_OK.rawValue && answered.count == group.count)
        return answered.bytes
    }
}
