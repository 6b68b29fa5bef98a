/// What a STATE frame tells.
public enum StateType: UInt8, Sendable {
    case created = 1
    case updated = 2
    /// Sent by a bootstrap or catch-up (R3).
    case snapshot = 3
}

/// STATE: an entity is as `data` says (R2). Decoded in place: the data stays in the payload.
public struct State: Hashable, Sendable {
    @inlinable public static var opcode: Opcode { .state }

    public var kind: UInt16
    public var klass: UInt16
    public var type: StateType
    /// Bit 0: previous data follows. Bit 1: metadata follows, which this decoder skips.
    public var flags: UInt8
    public var schema: UInt8
    public var id: EntityID
    public var version: UInt64
    public var sourceSet: UInt64
    /// Bit n: field n differs from before; of created and snapshot: all fields.
    public var changed: UInt64
    /// How much of the data is its fixed zone.
    public var fixedBytes: UInt32
    /// Where the data lies in the payload.
    public var data: Range<Int>
    public var previous: Range<Int>?

    @inlinable
    public init(payload: RawSpan) throws(WireError) {
        guard payload.byteCount >= NotificationLayout.stateHead else {
            throw NotificationFault.cutOff(.state, head: NotificationLayout.stateHead, bytes: payload.byteCount)
        }
        let rawType = load(payload, at: 4, as: UInt8.self)
        guard let type = StateType(rawValue: rawType) else {
            throw NotificationFault.unknownType(rawType)
        }
        kind = load(payload, at: 0, as: UInt16.self)
        klass = load(payload, at: 2, as: UInt16.self)
        self.type = type
        flags = load(payload, at: 5, as: UInt8.self)
        schema = load(payload, at: 6, as: UInt8.self)
        id = EntityID(loading: payload, at: 8)
        version = load(payload, at: 40, as: UInt64.self)
        sourceSet = load(payload, at: 48, as: UInt64.self)
        changed = load(payload, at: 56, as: UInt64.self)
        fixedBytes = load(payload, at: 64, as: UInt32.self)
        data = try counted(payload, at: 68, "data", of: .state)
        guard fixedBytes <= data.count else {
            throw NotificationFault.fixedLength(.state, Int(fixedBytes), field: "data_len", bytes: data.count)
        }
        previous = flags & 1 == 0 ? nil : try counted(payload, at: data.upperBound, "previous", of: .state)
    }

    /// The frame that says this, with `data` and `previous` instead of the ranges; the server's encoder is in the core.
    public func frame(data: [UInt8], previous: [UInt8]? = nil) -> [UInt8] {
        NotificationLayout.frame(
            .state, payloadBytes: NotificationLayout.stateHead + data.count + (previous.map { 4 + $0.count } ?? 0)
        ) { writer in
            writer.number(kind)
            writer.number(klass)
            writer.number(type.rawValue)
            writer.number(flags & ~1 | (previous == nil ? 0 : 1))
            writer.number(schema)
            writer.zeros(1)
            writer.id(id)
            writer.number(version)
            writer.number(sourceSet)
            writer.number(changed)
            writer.number(fixedBytes)
            writer.number(UInt32(data.count))
            writer.raw(data)
            if let previous {
                writer.number(UInt32(previous.count))
                writer.raw(previous)
            }
        }
    }
}
