public enum TransportEventKind: UInt16, Sendable {
    case accepted = 1
    /// A connection begun with `connect` is there.
    case connected = 2
    case received = 3
    /// The connection's queue had been above `queueLow` and has fallen to it.
    case drained = 4
    /// The connection is gone; its last event.
    case closed = 5
    case woken = 6
}

public struct TransportEvent {
    public let kind: TransportEventKind
    public let connection: Connection
    /// Received: begins at a message boundary, valid until the next poll. Else empty.
    public let bytes: UnsafeRawBufferPointer
    /// Closed: 0 orderly, else the errno; `EMSGSIZE` when a message longer than `messageMax` was asked for, `ENOBUFS` when
    /// `unfinishedMax` was reached, `ETIMEDOUT` when something queued did not get out before the linger ended.
    public let error: Int32

    @usableFromInline
    init(kind: TransportEventKind, connection: Connection, bytes: UnsafeRawBufferPointer, error: Int32) {
        self.kind = kind
        self.connection = connection
        self.bytes = bytes
        self.error = error
    }
}
