/// How sockets are served. Both behave the same.
public enum TransportBackend: UInt32, Sendable, CaseIterable {
    /// io_uring, or epoll where io_uring cannot be had: ``TransportBackendInUse/fallback`` says why.
    case auto = 0
    /// Linux 6.1 or newer, and a system that allows it.
    case ioUring = 1
    case epoll = 2

    /// As on a command line: `auto`, `io_uring`, `epoll`.
    public var name: String {
        switch self {
        case .auto: "auto"
        case .ioUring: "io_uring"
        case .epoll: "epoll"
        }
    }

    public init?(name: String) {
        guard let backend = TransportBackend.allCases.first(where: { $0.name == name }) else { return nil }
        self = backend
    }
}

/// The backend in use.
public struct TransportBackendInUse: Sendable, Equatable {
    /// `io_uring` or `epoll`.
    public let name: String
    /// Why it is epoll though the options allow io_uring: a sentence without its end. Nil: it is what was asked for.
    public let fallback: String?

    public init(name: String, fallback: String?) {
        self.name = name
        self.fallback = fallback
    }
}

/// How a transport works, and its bounds. 0 means the default.
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
    public var backend: TransportBackend
    /// Other transports of this program listen on the same port: the kernel spreads connections over them.
    public var sharesPort = false

    public init(
        connectionsMax: Int = 0, receiveBuffers: Int = 0, unfinishedMax: Int = 0, messageMax: Int = 0,
        queueLow: Int = 0, eventsMax: Int = 0, backend: TransportBackend = .auto
    ) {
        self.connectionsMax = connectionsMax
        self.receiveBuffers = receiveBuffers
        self.unfinishedMax = unfinishedMax
        self.messageMax = messageMax
        self.queueLow = queueLow
        self.eventsMax = eventsMax
        self.backend = backend
    }
}

/// What is queued to a connection and not yet taken by the kernel.
public struct Unsent: Sendable, Equatable {
    /// Exactly.
    public let bytes: Int
    /// Of slices, each until all of it is taken.
    public let weight: Int
    /// Of `bytes`: reserved and committed, not in shared segments.
    public let privateBytes: Int
    /// What the queue itself takes: the private bytes' chunks, whole, and a long list of slices.
    public let memory: Int

    public init(bytes: Int, weight: Int, privateBytes: Int, memory: Int) {
        self.bytes = bytes
        self.weight = weight
        self.privateBytes = privateBytes
        self.memory = memory
    }

    /// Of `bytes`: in shared segments.
    public var sharedBytes: Int { bytes - privateBytes }
}

/// Counts since the transport was made; `…Peak` is the highest value so far.
public struct TransportStatistics: Sendable, Equatable {
    public var connections = 0
    public var accepted = 0
    public var closed = 0
    public var bytesIn = 0
    public var bytesOut = 0
    public var receives = 0
    /// Receive requests that have filled more than one buffer (io_uring, where the kernel can).
    public var bundles = 0
    public var sends = 0
    public var polls = 0
    /// Memory of unfinished messages.
    public var unfinishedBytes = 0
    public var unfinishedPeak = 0
    public var unfinishedMax = 0
    /// Bytes in all send queues; a slice of a shared segment counts for each of its readers.
    public var queuedBytes = 0
    public var queuedPeak = 0
    /// Of them: in memory of their own, not in segments that connections share.
    public var unsentPrivateBytes = 0
    public var unsentPrivatePeak = 0

    /// Memory of all send queues: chunks of private bytes, and long lists of slices.
    public var queueMemory = 0
    public var queueMemoryPeak = 0

    public init() {}
}
