import ConvergeWire

/// A subscriber's copy of a kind, kept by applying notifications (R10).
///
/// It holds what the server held at the `token` of the last `bootstrapEnd`, and everything notified since. Two mirrors are
/// equal when they hold the same entities with the same versions and bytes; source sets are not compared, because changes
/// of them alone are not notified.
public struct Mirror: Sendable, Equatable {
    public struct Entity: Sendable, Equatable {
        public var version: UInt64
        public var sourceSet: UInt64
        /// Row data.
        public var bytes: [UInt8]

        public static func == (left: Entity, right: Entity) -> Bool {
            left.version == right.version && left.bytes == right.bytes
        }
    }

    public private(set) var entities: [EntityID: Entity] = [:]

    public init() {}

    public var count: Int { entities.count }

    public subscript(id: EntityID) -> Entity? { entities[id] }

    /// Merges a notification: what has a version at least as high as the one held is taken, a deletion forgets, a
    /// bootstrap with `reset` forgets everything.
    ///
    /// - Returns: whether something was taken or forgotten.
    @discardableResult
    public mutating func apply(_ notification: Notification) -> Bool {
        switch notification {
        case .change(let change): return apply(change)
        case .bootstrapBegin(let begin):
            guard begin.flags.contains(.reset), !entities.isEmpty else { return false }
            entities = [:]
            return true
        case .bootstrapEnd: return false
        }
    }

    @discardableResult
    public mutating func apply(_ change: Change) -> Bool {
        if let held = entities[change.id], change.version < held.version { return false }
        guard let row = change.row else { return entities.removeValue(forKey: change.id) != nil }
        entities[change.id] = Entity(version: change.version, sourceSet: change.sourceSet, bytes: row.bytes)
        return true
    }
}
