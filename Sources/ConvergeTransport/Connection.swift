/// Names a connection from the event or call that made it until its `closed` event. A name is never used again while it
/// can still appear in an event: the slot has a generation.
public struct Connection: Hashable, Sendable {
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// A dense number from 0, for indexing arrays: no two connections of a turn have the same.
    @inlinable
    public var slot: Int { Int(truncatingIfNeeded: rawValue & 0xFFFF_FFFF) }

    /// No connection; the connection of a `woken` event.
    public static let none = Connection(rawValue: 0)
}
