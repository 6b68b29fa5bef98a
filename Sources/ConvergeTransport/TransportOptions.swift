/// Bounds of a transport. 0 means the default.
public struct TransportOptions: Sendable {
    /// Connections at a time; whoever comes then waits in the listen backlog. Default 65,536.
    public var connectionsMax: Int
    /// Receive buffers of 64 KiB lent in a turn. Default 32.
    public var receiveBuffers: Int
    /// Bytes of unfinished messages, all connections together. Default 256 MiB.
    public var unfinishedMax: Int
    /// The longest message that `consume` may ask for. Default 4 MiB.
    public var messageMax: Int
    /// `drained` comes when a queue falls to this many bytes. Default 128 KiB.
    public var queueLow: Int
    /// Events of one poll at most. Default 512.
    public var eventsMax: Int

    public init(
        connectionsMax: Int = 0, receiveBuffers: Int = 0, unfinishedMax: Int = 0, messageMax: Int = 0,
        queueLow: Int = 0,
        eventsMax: Int = 0
    ) {
        self.connectionsMax = connectionsMax
        self.receiveBuffers = receiveBuffers
        self.unfinishedMax = unfinishedMax
        self.messageMax = messageMax
        self.queueLow = queueLow
        self.eventsMax = eventsMax
    }
}

/// Counts since the transport was made; `…Peak` is the highest value so far.
public struct TransportStatistics: Sendable, Equatable {
    public var connections = 0
    public var accepted = 0
    public var closed = 0
    public var bytesIn = 0
    public var bytesOut = 0
    public var receives = 0
    public var sends = 0
    public var polls = 0
    /// Memory of unfinished messages.
    public var unfinishedBytes = 0
    public var unfinishedPeak = 0
    public var unfinishedMax = 0
    /// Bytes in all send queues.
    public var queuedBytes = 0
    public var queuedPeak = 0

    public init() {}
}
