/// Why an entity is gone; a client takes numbers it does not know as a deletion all the same.
public enum DeletedReason: UInt8, Sendable, CaseIterable {
    /// Learnt in a catch-up (R3): why is not known any more.
    case catchUp = 0
    case retract = 1
    case epoch = 2
    case liveness = 3
    case admin = 4
}

/// DELETED: nobody asserts the entity any more (W3).
public struct Deleted: Hashable, Sendable {
    @inlinable public static var opcode: Opcode { .deleted }

    public var kind: UInt16
    public var klass: UInt16
    /// A `DeletedReason`.
    public var reason: UInt8
    /// Bit 0: previous data follows. Bit 1: metadata follows, which this decoder skips.
    public var flags: UInt8
    public var schema: UInt8
    public var id: EntityID
    /// The version that the deletion was given (W7).
    public var version: UInt64
    /// How much of the data before is its fixed zone; 0 without it.
    public var fixedBytes: UInt32 = 0
    /// Where the data before lies in the payload.
    public var previous: Range<Int>?

    @inlinable
    public init(payload: RawSpan) throws(WireError) {
        guard payload.byteCount >= NotificationLayout.deletedHead else {
            throw NotificationFault.cutOff(.deleted, head: NotificationLayout.deletedHead, bytes: payload.byteCount)
        }
        kind = load(payload, at: 0, as: UInt16.self)
        klass = load(payload, at: 2, as: UInt16.self)
        reason = load(payload, at: 4, as: UInt8.self)
        flags = load(payload, at: 5, as: UInt8.self)
        schema = load(payload, at: 6, as: UInt8.self)
        id = EntityID(loading: payload, at: 8)
        version = load(payload, at: 40, as: UInt64.self)
        guard flags & 1 != 0 else { return }
        let head = NotificationLayout.deletedHead
        guard payload.byteCount >= head + 4 else {
            throw NotificationFault.cutOff(.deleted, head: head + 4, bytes: payload.byteCount)
        }
        fixedBytes = load(payload, at: head, as: UInt32.self)
        let range = try counted(payload, at: head + 4, "previous", of: .deleted)
        guard fixedBytes <= range.count else {
            throw NotificationFault.fixedLength(.deleted, Int(fixedBytes), field: "previous_len", bytes: range.count)
        }
        previous = range
    }

    /// The frame that says this, with `previous` instead of the range; the server's encoder is in the core.
    public func frame(previous: [UInt8]? = nil) -> [UInt8] {
        NotificationLayout.frame(
            .deleted, payloadBytes: NotificationLayout.deletedHead + (previous.map { 8 + $0.count } ?? 0)
        ) { writer in
            writer.number(kind)
            writer.number(klass)
            writer.number(reason)
            writer.number(flags & ~1 | (previous == nil ? 0 : 1))
            writer.number(schema)
            writer.zeros(1)
            writer.id(id)
            writer.number(version)
            if let previous {
                writer.number(fixedBytes)
                writer.number(UInt32(previous.count))
                writer.raw(previous)
            }
        }
    }
}
