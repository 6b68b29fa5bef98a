import ConvergeTransport
import ConvergeWire

/// A reader of some kinds. It comes and goes, subscribes and unsubscribes; what it holds is judged with every frame.
final class Subscriber: Peer {
    /// A SUBSCRIBE or UNSUBSCRIBE under way. They are answered in order.
    enum Request {
        /// With what anyone knew when it was asked.
        case subscribe(Subscribe, known: [UInt64])
        case unsubscribe
    }

    /// A kind of its own, subscribed to or not.
    struct Slot {
        let mirror: Mirror
        /// Notifications may come.
        var isActive = false
        /// By its last SUBSCRIBE: nothing is left out and nothing comes late, as of a bootstrap or a small buffer.
        var isStrict = false
        var token: [UInt8] = []
        var requests: [(stream: UInt16, request: Request)] = []
        /// What has to be held at BOOTSTRAP_END.
        var fences: [Fence] = []
    }

    /// An own entity of a writer: at this point its write is held, or a later one.
    struct Fence {
        let kind: Int
        let entity: Int
        let write: UInt64
        let isAlive: Bool
    }

    static let fencesMax = 32
    /// Microseconds after a pause in which its backlog, and the end of the connection behind it, are still to come.
    private static let patience: Int64 = 10_000_000

    let number: Int
    let isSlow: Bool
    var slots: [Slot]
    /// In the order of the HEARTBEATs under way.
    var fences: [(opaque: UInt64, fence: Fence?)] = []
    var beats: UInt64 = 0
    private var lastStream: UInt16 = 1
    var returnsAt: Int64 = 0
    /// Not read from until then; 0: it reads.
    var readsAt: Int64 = 0
    /// When its last pause on this connection was to end; 0: it has always read.
    var lastPauseEnds: Int64 = 0
    /// Leaves the run: its end is expected.
    var isLeaving = false

    init(_ number: Int, _ world: World, isSlow: Bool) {
        self.number = number
        self.isSlow = isSlow
        slots = KindShape.all.indices.map { Slot(mirror: Mirror(kind: $0, world.observed[$0])) }
        super.init(world)
    }

    override var name: String { "subscriber \(number)" }

    var isConnected: Bool { connection != .none }
    /// Nothing is under way but notifications.
    var isSettled: Bool { !isConnected || isOpen && !isLeaving && slots.allSatisfy { $0.requests.isEmpty } }

    func nextStream() -> UInt16 {
        lastStream = lastStream == 30_000 ? 2 : lastStream + 1
        return lastStream
    }

    func begin() throws(StressFailure) {
        try connect(.stress(.readOnly, name: name))
        isLeaving = false
        readsAt = 0
        lastPauseEnds = 0
        fences.removeAll()
        for kind in slots.indices {
            slots[kind].isActive = false
            slots[kind].requests.removeAll()
            slots[kind].fences.removeAll()
        }
        world.counts.subscriberConnections += 1
    }

    func subscribe(_ kind: Int, _ flags: SubscribeFlags, buffer: UInt32, token: [UInt8] = []) throws(StressFailure) {
        let message = Subscribe(kind: world.kinds[kind], flags: flags, buffer: buffer, token: token)
        let newest = UnsafeBufferPointer(start: world.observed[kind].newest, count: Entities.count)
        let stream = nextStream()
        slots[kind].requests.append((stream, .subscribe(message, known: Array(newest))))
        try send(message, stream: stream)
        world.counts.subscribes += 1
    }

    func unsubscribe(_ kind: Int) throws(StressFailure) {
        let stream = nextStream()
        slots[kind].requests.append((stream, .unsubscribe))
        try send(Unsubscribe(kind: world.kinds[kind]), stream: stream)
    }

    /// Whether the kind is subscribed to once everything under way is answered.
    func willBeActive(_ kind: Int) -> Bool {
        guard let last = slots[kind].requests.last else { return slots[kind].isActive }
        if case .subscribe = last.request { return true }
        return false
    }

    /// A HEARTBEAT whose answer comes behind every notification queued before it.
    func beat(_ fence: Fence? = nil) throws(StressFailure) {
        beats += 1
        fences.append((beats, fence))
        try send(Heartbeat(opaque: beats), stream: nextStream())
    }

    // MARK: What comes

    override func take(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        switch header.opcode {
        case .state, .deleted: try world.fault == nil ? notify(header, payload) : notifyWrongly(header, payload)
        case .connected: isOpen = true
        case .subscribed: try takeSubscribed(header.stream, try decode(Subscribed.self, payload))
        case .unsubscribed: try takeUnsubscribed(header.stream, try decode(Unsubscribed.self, payload))
        case .bootstrapBegin: try takeBegin(try decode(BootstrapBegin.self, payload))
        case .bootstrapEnd: try takeEnd(try decode(BootstrapEnd.self, payload))
        case .heartbeatAck: try takeBeat(try decode(HeartbeatAck.self, payload).opaque)
        case .serverGoodbye: try takeGoodbye(try decode(ServerGoodbye.self, payload))
        default: throw try unexpected(header, payload)
        }
    }

    @inline(__always)
    func notify(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        world.counts.notifications += 1
        let wrong: String?
        let number: UInt16
        do {
            if header.opcode == .state {
                let state = try State(payload: payload)
                number = state.kind
                wrong = world.index(ofKind: number).flatMap { kind in
                    guard slots[kind].isActive else { return "STATE of a kind that is not subscribed to" }
                    return slots[kind].mirror.take(state, payload)
                }
            } else {
                let deleted = try Deleted(payload: payload)
                number = deleted.kind
                wrong = world.index(ofKind: number).flatMap { kind in
                    guard slots[kind].isActive else { return "DELETED of a kind that is not subscribed to" }
                    return slots[kind].mirror.take(deleted, payload)
                }
            }
        } catch { throw StressFailure("\(name) was sent a \(header.opcode) that cannot be decoded: \(error)") }
        if let wrong { throw StressFailure("\(name), \(world.kindName(number)) entity \(wrong)") }
    }

    private func kind(_ number: UInt16, _ what: String) throws(StressFailure) -> Int {
        guard let kind = world.index(ofKind: number) else {
            throw StressFailure("\(name) was sent a \(what) of kind \(number), which is none of the run's")
        }
        return kind
    }

    private func takeSubscribed(_ stream: UInt16, _ subscribed: Subscribed) throws(StressFailure) {
        let kind = try kind(subscribed.kind, "SUBSCRIBED")
        guard let first = slots[kind].requests.first, first.stream == stream,
            case .subscribe(let message, let known) = first.request
        else { throw StressFailure("\(name) was sent a SUBSCRIBED on stream \(stream) that it did not ask for") }
        slots[kind].requests.removeFirst()
        let mirror = slots[kind].mirror
        if message.token.isEmpty { mirror.forget() }
        mirror.raise(to: known)
        mirror.isComplete = false
        mirror.isBootstrapping = false
        mirror.hasPrevious = message.flags.contains(.previous)
        let isLive = message.token.isEmpty && !message.flags.contains(.bootstrap)
        slots[kind].isActive = true
        slots[kind].isStrict = isLive && message.buffer == 0
        if isLive { slots[kind].token = subscribed.token }
    }

    private func takeUnsubscribed(_ stream: UInt16, _ unsubscribed: Unsubscribed) throws(StressFailure) {
        let kind = try kind(unsubscribed.kind, "UNSUBSCRIBED")
        guard let first = slots[kind].requests.first, first.stream == stream, case .unsubscribe = first.request else {
            throw StressFailure("\(name) was sent an UNSUBSCRIBED on stream \(stream) that it did not ask for")
        }
        slots[kind].requests.removeFirst()
        slots[kind].isActive = false
        slots[kind].fences.removeAll()
    }

    private func takeBegin(_ begin: BootstrapBegin) throws(StressFailure) {
        let kind = try kind(begin.kind, "BOOTSTRAP_BEGIN")
        guard slots[kind].isActive, !slots[kind].mirror.isBootstrapping else {
            throw StressFailure("\(name) was sent a BOOTSTRAP_BEGIN of \(world.kindName(begin.kind)) at the wrong time")
        }
        if begin.flags.contains(.reset) { slots[kind].mirror.forget() }
        slots[kind].mirror.isBootstrapping = true
        slots[kind].mirror.bootstrapFrames = 0
    }

    private func takeEnd(_ end: BootstrapEnd) throws(StressFailure) {
        let kind = try kind(end.kind, "BOOTSTRAP_END")
        let mirror = slots[kind].mirror
        guard slots[kind].isActive, mirror.isBootstrapping else {
            throw StressFailure("\(name) was sent a BOOTSTRAP_END of \(world.kindName(end.kind)) at the wrong time")
        }
        mirror.isBootstrapping = false
        mirror.isComplete = true
        slots[kind].token = end.token
        world.counts.bootstraps += 1
        guard end.count == mirror.bootstrapFrames else {
            throw StressFailure(
                "\(name) was sent \(mirror.bootstrapFrames) notifications of \(world.kindName(end.kind)) between "
                    + "BOOTSTRAP_BEGIN and END, but END says \(end.count)")
        }
        for fence in slots[kind].fences { try hold(fence) }
        slots[kind].fences.removeAll()
    }

    private func takeBeat(_ opaque: UInt64) throws(StressFailure) {
        guard let first = fences.first, first.opaque == opaque else {
            throw StressFailure("\(name) was sent a HEARTBEAT_ACK of \(opaque) that it is not waiting for")
        }
        fences.removeFirst()
        if let fence = first.fence { try hold(fence) }
    }

    private func takeGoodbye(_ goodbye: ServerGoodbye) throws(StressFailure) {
        switch GoodbyeReason(rawValue: goodbye.reason) {
        case .slowReader:
            world.counts.slowReaders += 1
            if readsAt == 0, !isSlow { world.counts.slowReadersUnawares += 1 }
        case .shutdown where world.isStopping: world.counts.shutdownGoodbyes += 1
        default: throw StressFailure("\(name) was told goodbye for reason \(goodbye.reason): \(goodbye.message)")
        }
        isLeaving = true
    }

    override func ended(_ error: Int32) throws(StressFailure) {
        // Who does not read does not get the GOODBYE either, when the server's patience of a second has ended. That it was
        // one to be sent away is held against the server's count at the end.
        let hasBeenSlow = isSlow || lastPauseEnds > 0 && world.now - lastPauseEnds < Self.patience
        if hasBeenSlow, !isLeaving { world.counts.slowReadersCut += 1 }
        guard isLeaving || hasBeenSlow || world.isStopping else {
            throw lost(error)
        }
        scheduleReturn()
    }
}
