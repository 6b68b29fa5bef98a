internal import ConvergeNet

/// Sockets in, events out; bytes and shared segments in, sockets out. Owns every connection; ends them all when it ends.
///
/// An event loop polls it. What it receives is lent until the next poll; what is queued to a connection during a turn goes
/// out in one gathered send at the start of the next. Every `received` event begins at a message boundary, and there is at
/// most one for a connection in a poll: answer each with `consume` before the next poll.
///
/// One thread at a time, and one for all polls: a poll by another than the first one's throws. `waker` alone is for all.
public struct Transport: ~Copyable {
    private let net: OpaquePointer
    private let events: UnsafeMutableBufferPointer<cvg_net_event>
    private var count = 0
    public let waker: Waker

    public init(_ options: TransportOptions = .init()) throws(TransportError) {
        var bounds = cvg_net_options()
        bounds.connections_max = UInt32(clamping: options.connectionsMax)
        bounds.receive_buffers = UInt32(clamping: options.receiveBuffers)
        bounds.unfinished_max = UInt64(clamping: options.unfinishedMax)
        bounds.message_max = UInt32(clamping: options.messageMax)
        bounds.queue_low = UInt64(clamping: options.queueLow)
        bounds.backend = options.backend.rawValue
        bounds.share_port = options.sharesPort
        var created: OpaquePointer?
        let status = cvg_net_create(&bounds, &created)
        guard status == 0, let net = created, let waker = cvg_net_waker(net) else {
            if options.backend == .ioUring {
                throw .ioUring(errno: -status, reason: String(cString: cvg_net_io_uring_refused(status)))
            }
            throw .creating(errno: -status)
        }
        self.net = net
        self.waker = Waker(waker)
        self.events = .allocate(capacity: options.eventsMax > 0 ? options.eventsMax : 512)
    }

    deinit {
        cvg_net_destroy(net)
        events.deallocate()
    }

    // MARK: Connections

    /// Listens on a numeric address or a name, on every address the name has. Port 0 picks one. The port that was bound.
    public mutating func listen(host: String, port: UInt16) throws(TransportError) -> UInt16 {
        var bound: UInt16 = 0
        let status = cvg_net_listen(net, host, port, &bound)
        guard status == 0 else { throw .listening(host: host, port: port, errno: -status) }
        return bound
    }

    /// Stops accepting; open connections go on.
    public mutating func stopListening() { cvg_net_stop_listening(net) }

    /// Starts to connect. `connected` follows, or `closed`, whose errno ``TransportError/connecting(host:port:errno:)`` puts
    /// into words. What is queued before goes out then. Throws when the name does not resolve.
    public mutating func connect(host: String, port: UInt16) throws(TransportError) -> Connection {
        var connection: cvg_connection = 0
        let status = cvg_net_connect(net, host, port, &connection)
        guard status == 0 else { throw .resolving(host: host, port: port, errno: -status) }
        return Connection(rawValue: connection)
    }

    /// Closes when everything queued is sent and the peer has ended its side too, or after the linger at the latest; 0: at
    /// once. Nothing more is delivered but `closed`, and nothing can be queued.
    public mutating func close(_ connection: Connection, lingerMicroseconds: Int64) {
        cvg_net_close(net, connection.rawValue, lingerMicroseconds)
    }

    /// Answers `ended`: what is queued has 10 s to leave where the peer has ended its side; else the connection is closed at
    /// once.
    public mutating func closeEnded(_ event: TransportEvent) {
        close(event.connection, lingerMicroseconds: event.ending == .endedByPeer ? Self.endedLingerMicroseconds : 0)
    }

    /// `address:port` of the peer; empty when unknown.
    public func peer(_ connection: Connection) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            cvg_net_peer(net, connection.rawValue, text.baseAddress, text.count)
            return String(cString: text.baseAddress!)
        }
    }

    // MARK: Events

    /// Sends what is queued, then waits for something to happen, at most this long (-1: no limit, 0: not at all). The number
    /// of events, 0 on time-out or when interrupted. Everything lent before ends.
    public mutating func poll(timeoutMicroseconds: Int64) throws(TransportError) -> Int {
        let status = cvg_net_poll(net, timeoutMicroseconds, events.baseAddress, events.count)
        count = max(Int(status), 0)
        guard status >= 0 else { throw .polling(errno: -status) }
        return count
    }

    /// An event of the last poll, in `0..<count`.
    public func event(_ index: Int) -> TransportEvent {
        precondition(index >= 0 && index < count, "the last poll had fewer events")
        let event = events[index]
        return TransportEvent(
            kind: TransportEventKind(rawValue: event.type)!, connection: Connection(rawValue: event.connection),
            bytes: UnsafeRawBufferPointer(start: event.data, count: Int(event.bytes)), error: Int32(event.error))
    }

    /// Answers the `received` event at `index`: `used` bytes are done with. If that is not all, the rest is the beginning of a
    /// message, and comes again when it has at least `need` bytes (as many as the message has, or a header, as far as known).
    /// `need` is ignored when everything is used. When the connection is closed it does nothing.
    public mutating func consume(_ index: Int, used: Int, need: Int) {
        precondition(index >= 0 && index < count, "the last poll had fewer events")
        cvg_net_consume(net, events.baseAddress! + index, UInt32(used), UInt32(clamping: need))
    }

    /// Stops or resumes reading from a connection (back pressure).
    public mutating func setReading(_ connection: Connection, _ reading: Bool) {
        cvg_net_set_reading(net, connection.rawValue, reading)
    }

    // MARK: Sending

    /// Room at the end of the connection's queue, to be written in place and committed before any other call on that
    /// connection. Nil: out of memory, or the connection is closing or gone.
    public mutating func reserve(_ connection: Connection, _ bytes: Int) -> UnsafeMutableRawBufferPointer? {
        guard let room = cvg_net_reserve(net, connection.rawValue, bytes) else { return nil }
        return UnsafeMutableRawBufferPointer(start: room, count: bytes)
    }

    /// Queues the first `bytes` of what was reserved: whole messages.
    public mutating func commit(_ connection: Connection, _ bytes: Int) {
        cvg_net_commit(net, connection.rawValue, bytes)
    }

    /// Queues a slice (whole messages) of a shared segment by reference, and retains the segment until it is sent. `weight`
    /// counts notifications. False: out of memory, or the connection is closing or gone.
    /// - Parameter segment: the `cvg_segment *` of the core, as ConvergeEngine hands it out.
    public mutating func send(
        _ connection: Connection, segment: OpaquePointer, offset: Int, bytes: Int, weight: Int
    ) -> Bool {
        cvg_net_send(net, connection.rawValue, segment, UInt32(offset), UInt32(bytes), UInt32(weight)) == 0
    }

    /// What is queued and not yet taken by the kernel.
    public func unsent(_ connection: Connection) -> Unsent {
        let queued = cvg_net_unsent(net, connection.rawValue)
        return Unsent(
            bytes: Int(queued.bytes), weight: Int(queued.weight), privateBytes: Int(queued.private_bytes),
            memory: Int(queued.memory))
    }

    /// Memory that all send queues take, shared segments not included.
    public var queueMemory: Int {
        var counts = cvg_net_stats()
        cvg_net_stats_read(net, &counts)
        return Int(counts.queue_memory_bytes)
    }

    /// Sends now what is queued, as far as the sockets take it.
    public mutating func flush() { cvg_net_flush(net) }

    /// Drops what is queued but not begun, so that a last message can follow the one under way.
    public mutating func discardUnsent(_ connection: Connection) { cvg_net_discard_unsent(net, connection.rawValue) }

    /// What serves the sockets.
    public var backend: TransportBackendInUse {
        var fallback: UnsafePointer<CChar>?
        let name = String(cString: cvg_net_backend(net, &fallback))
        return TransportBackendInUse(name: name, fallback: fallback.map { String(cString: $0) })
    }

    // MARK: Time and counts

    /// After `ended`, a connection that is not closed is closed by the transport.
    public static let endedLingerMicroseconds: Int64 = 10_000_000

    /// Monotonic microseconds: the time base of every timeout here.
    public static func now() -> Int64 { cvg_net_now_us() }

    public var statistics: TransportStatistics {
        var counts = cvg_net_stats()
        cvg_net_stats_read(net, &counts)
        var statistics = TransportStatistics()
        statistics.connections = Int(counts.connections)
        statistics.accepted = Int(counts.accepted)
        statistics.closed = Int(counts.closed)
        statistics.bytesIn = Int(counts.bytes_in)
        statistics.bytesOut = Int(counts.bytes_out)
        statistics.receives = Int(counts.receives)
        statistics.bundles = Int(counts.bundles)
        statistics.sends = Int(counts.sends)
        statistics.polls = Int(counts.polls)
        statistics.unfinishedBytes = Int(counts.unfinished_bytes)
        statistics.unfinishedPeak = Int(counts.unfinished_peak)
        statistics.unfinishedMax = Int(counts.unfinished_max)
        statistics.queuedBytes = Int(counts.queued_bytes)
        statistics.queuedPeak = Int(counts.queued_peak)
        statistics.unsentPrivateBytes = Int(counts.unsent_private_bytes)
        statistics.unsentPrivatePeak = Int(counts.unsent_private_peak)
        statistics.queueMemory = Int(counts.queue_memory_bytes)
        statistics.queueMemoryPeak = Int(counts.queue_memory_peak)
        return statistics
    }
}
