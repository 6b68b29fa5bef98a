/// The last version that each subscriber was told of each entity; 0: nothing yet; with the highest bit: it was deleted. One
/// flat table, a stretch of it for each subscriber: what one receive touches stays in the cache.
struct RowVersions: ~Copyable {
    /// Where the fields of a STATE frame lie, from its first byte.
    private enum StateFrame {
        static let opcode = 4
        static let type = 16
        static let id = 20
        static let version = 52
        static let head = 84
        /// `type` of a STATE that comes from a bootstrap or catch-up.
        static let snapshot: UInt8 = 3
    }

    private static let deleted: UInt32 = 1 << 31

    let entities: Int
    private let versions: UnsafeMutablePointer<UInt32>
    private let count: Int
    /// STATE frames counted, all subscribers together.
    private(set) var notifications = 0
    /// An older state after a newer one.
    private(set) var backward = 0
    /// The same state again, and no snapshot.
    private(set) var repeated = 0
    /// A later state than the next one, and no snapshot: one in between is lost (W7, R2).
    private(set) var skipped = 0
    /// A state of an entity that is none of the run's.
    private(set) var foreign = 0

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
                let before = slot.pointee & ~Self.deleted
                if version != before &+ 1 {
                    note(
                        version, after: before,
                        isSnapshot: frame.load(fromByteOffset: StateFrame.type, as: UInt8.self) == StateFrame.snapshot)
                }
                slot.pointee = version
            } else {
                foreign += 1
            }
            notifications += 1
            offset = end
        }
        return offset
    }

    /// A version that is not the next one. Who subscribed without a bootstrap may be told any at first; a snapshot may stand
    /// for several, and may be sent again.
    private mutating func note(_ version: UInt32, after before: UInt32, isSnapshot: Bool) {
        if version < before {
            backward += 1
        } else if before > 0, !isSnapshot {
            if version == before { repeated += 1 } else { skipped += 1 }
        }
    }

    /// Counts a DELETED frame's payload.
    mutating func takeDeleted(_ payload: RawSpan, subscriber: Int) {
        guard payload.byteCount >= 48 else { return }
        let key = payload.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self).littleEndian
        let version = payload.unsafeLoadUnaligned(fromByteOffset: 40, as: UInt64.self).littleEndian
        notifications += 1
        guard key < UInt64(entities) else {
            foreign += 1
            return
        }
        let slot = versions + subscriber * entities + Int(key)
        let before = slot.pointee & ~Self.deleted
        let deletion = UInt32(truncatingIfNeeded: version) & ~Self.deleted
        if deletion != before &+ 1 {
            note(deletion, after: before, isSnapshot: payload.unsafeLoad(fromByteOffset: 4, as: UInt8.self) == 0)
        }
        slot.pointee = deletion | Self.deleted
    }

    /// Forgets what subscribers were told, and counts on.
    mutating func forget() { versions.update(repeating: 0, count: count) }

    /// How many subscribers lack the latest version of some entity, and of how many entities in all.
    /// - Parameter latest: 0: the entity is not there, which a subscriber knows that was told so, or never of it.
    func missing(_ latest: [UInt32]) -> (subscribers: Int, rows: Int) {
        var subscribers = 0
        var rows = 0
        for start in stride(from: 0, to: count, by: entities) {
            var missed = 0
            for key in 0..<entities {
                let told = versions[start + key]
                if told & Self.deleted != 0 ? latest[key] != 0 : told != latest[key] { missed += 1 }
            }
            if missed > 0 { subscribers += 1 }
            rows += missed
        }
        return (subscribers, rows)
    }
}
