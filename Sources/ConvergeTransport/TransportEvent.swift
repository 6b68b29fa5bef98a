import Glibc

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
    /// Nothing more will be received; `ending` says why. The connection can still be sent to, and is to be closed: who does
    /// not close it finds it closed 10 s later. Not told for one that was closed here or has failed.
    case ended = 7
}

/// Why nothing more will be received from a connection.
public enum TransportEnding: Sendable, Equatable {
    /// It has ended its side.
    case endedByPeer
    /// Of those with unfinished messages it held most when the budget of all was nearly used up, or there was no room left
    /// for it.
    case tooMuchUnfinished
    /// It began a message longer than `messageMax`.
    case messageTooLong
}

public struct TransportEvent {
    public let kind: TransportEventKind
    public let connection: Connection
    /// Received: begins at a message boundary, valid until the next poll. Else empty.
    public let bytes: UnsafeRawBufferPointer
    /// Closed: 0 orderly, else the errno; `ETIMEDOUT` when something queued did not get out before the linger ended. Ended:
    /// 0 by the peer, `ENOBUFS` or `EMSGSIZE`, which ``ending`` puts into words.
    public let error: Int32

    @usableFromInline
    init(kind: TransportEventKind, connection: Connection, bytes: UnsafeRawBufferPointer, error: Int32) {
        self.kind = kind
        self.connection = connection
        self.bytes = bytes
        self.error = error
    }

    /// Why nothing more will be received; nil for other events than `ended`.
    public var ending: TransportEnding? {
        guard kind == .ended else { return nil }
        return switch error {
        case 0: .endedByPeer
        case EMSGSIZE: .messageTooLong
        default: .tooMuchUnfinished
        }
    }
}
