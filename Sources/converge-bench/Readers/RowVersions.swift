/// The last version that each subscriber was told of each entity; 0: nothing yet. One flat table, a stretch of it for
/// each subscriber: what one receive touches stays in the cache.
struct RowVersions: ~Copyable {
    /// Where the fields of a STATE frame lie, from its first byte.
    private enum StateFrame {
        static let opcode = 4
        static let id = 20
        static let version = 52
        static let head = 84
    }

    let entities: Int
    private let versions: UnsafeMutablePointer<UInt32>
    private let count: Int
    /// STATE frames counted, all subscribers together.
    private(set) var notifications = 0
    /// An older state after a newer one.
    private(set) var backward = 0

    init(subscribers: Int, entities: Int) {
        self.entities = entities
        count = subscribers * entities
        versions = .allocate(capacity: count)
        versions.initialize(repeating: 0, count: count)
    }

    deinit { versions.deallocate() }

    /// Counts the STATE frames at the front of what a subscriber received: only headers, ids and versions are looked at.
    /// - Returns: bytes of the frames counted; what follows them is unfinished, or no STATE.
    mutating func take(_ bytes: UnsafeRawBufferPointer, subscriber: Int) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let row = versions + subscriber * entities
        let limit = UInt64(entities)
        var offset = 0
        while bytes.count - offset >= StateFrame.head {
            let frame = base + offset
            let head = frame.loadUnaligned(fromByteOffset: StateFrame.opcode, as: UInt64.self).littleEndian
            let end = offset + 12 + Int(UInt32(truncatingIfNeeded: head >> 16))
            guard head & 0xFFFF == 0x81, end <= bytes.count, end - offset >= StateFrame.head else { break }
            let key = frame.loadUnaligned(fromByteOffset: StateFrame.id, as: UInt64.self).littleEndian
            let version = UInt32(
                truncatingIfNeeded: frame.loadUnaligned(fromByteOffset: StateFrame.version, as: UInt64.self)
                    .littleEndian)
            if key < limit {
                let slot = row + Int(key)
                if version < slot.pointee { backward += 1 }
                slot.pointee = version
            }
            notifications += 1
            offset = end
        }
        return offset
    }

    /// How many subscribers lack the latest version of some entity, and of how many entities in all.
    func missing(_ latest: [UInt32]) -> (subscribers: Int, rows: Int) {
        var subscribers = 0
        var rows = 0
        for start in stride(from: 0, to: count, by: entities) {
            var missed = 0
            for key in 0..<entities where versions[start + key] != latest[key] { missed += 1 }
            if missed > 0 { subscribers += 1 }
            rows += missed
        }
        return (subscribers, rows)
    }
}
