public import ConvergeWire

/// One entity's change, with typed values; as `Change`.
public struct TypedChange<Root: TypedKind>: Sendable {
    public let what: Change.What
    public let id: EntityID
    public let version: UInt64
    /// Bit n: source n asserts the entity; 0 when deleted.
    public let sourceSet: UInt64
    /// nil when deleted.
    public let value: Root?
    /// The value before, if the subscription asked for it and there was one.
    public let previous: Root?
    private let changed: UInt64

    fileprivate init(_ change: Change, _ entities: Entities<Root>) {
        what = change.what
        id = change.id
        version = change.version
        sourceSet = change.sourceSet
        changed = change.changed
        value = change.row.map(entities.decode)
        previous = change.previous.map(entities.decode)
    }

    public var isDeleted: Bool { value == nil }

    /// Whether the field that the property holds differs from before; created and snapshot: every field does.
    public func hasChanged(_ property: PartialKeyPath<Root>) -> Bool {
        Root.schema.ordinal(of: property).map { changed >> UInt64($0) & 1 == 1 } ?? false
    }
}

/// What a typed subscription delivers; as `Notification`.
public enum TypedNotification<Root: TypedKind>: Sendable {
    case change(TypedChange<Root>)
    case bootstrapBegin(BootstrapBegin)
    case bootstrapEnd(BootstrapEnd)

    fileprivate init(_ notification: Notification, _ entities: Entities<Root>) {
        switch notification {
        case .change(let change): self = .change(TypedChange(change, entities))
        case .bootstrapBegin(let begin): self = .bootstrapBegin(begin)
        case .bootstrapEnd(let end): self = .bootstrapEnd(end)
        }
    }
}

/// The changes of one typed kind, in order; as `Subscription`.
///
///     var board: [EntityID: Player] = [:]
///     for try await change in try await players.subscribe(.bootstrap) {
///         board[change.id] = change.value
///     }
///
/// Where a snapshot begins and ends is told by `notifications`, of which this sequence leaves out all but the changes.
public struct TypedSubscription<Root: TypedKind>: AsyncSequence, Sendable {
    public typealias Element = TypedChange<Root>

    public let subscription: Subscription
    private let entities: Entities<Root>

    init(_ entities: Entities<Root>, _ subscription: Subscription) {
        self.entities = entities
        self.subscription = subscription
    }

    /// Ends the subscription, as `Subscription.unsubscribe`.
    public func unsubscribe() async throws(ClientError) { try await subscription.unsubscribe() }

    /// Everything, the marks of snapshots included. Use it or the changes, not both: they share what is delivered.
    public var notifications: Notifications { Notifications(base: subscription, entities: entities) }

    public func makeAsyncIterator() -> Iterator { Iterator(base: notifications.makeAsyncIterator()) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate var base: Notifications.Iterator
        private var hasChanges = false

        fileprivate init(base: Notifications.Iterator) { self.base = base }

        /// - Throws: what ended the connection; `invalid` if the server begins again with a new snapshot, which the changes
        ///   alone cannot tell of.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ClientError) -> TypedChange<Root>? {
            while let notification = try await base.next(isolation: actor) {
                switch notification {
                case .change(let change):
                    hasChanges = true
                    return change
                case .bootstrapBegin(let begin) where hasChanges && begin.flags.contains(.reset):
                    throw ClientError(
                        .invalid, "the server began again with a snapshot: subscribe anew, or follow 'notifications'")
                case .bootstrapBegin, .bootstrapEnd: continue
                }
            }
            return nil
        }

        public mutating func next() async throws(ClientError) -> TypedChange<Root>? { try await next(isolation: nil) }
    }

    public struct Notifications: AsyncSequence, Sendable {
        public typealias Element = TypedNotification<Root>

        fileprivate let base: Subscription
        fileprivate let entities: Entities<Root>

        public func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), entities: entities) }

        public struct Iterator: AsyncIteratorProtocol {
            fileprivate var base: Subscription.Iterator
            fileprivate let entities: Entities<Root>

            public mutating func next(
                isolation actor: isolated (any Actor)?
            ) async throws(ClientError) -> TypedNotification<Root>? {
                try await base.next(isolation: actor).map { TypedNotification($0, entities) }
            }

            public mutating func next() async throws(ClientError) -> TypedNotification<Root>? {
                try await next(isolation: nil)
            }
        }
    }
}
