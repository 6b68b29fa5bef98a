import ConvergeTransport
import ConvergeWire
import Glibc
import Synchronization

/// The thread of a connection. A turn: hand over what the tasks queued, wait for the socket, cut what arrived into frames
/// and give each to whom it belongs.
///
/// Ends by an error (thrown out of a turn) or by the CLOSED event; then everything that waits is told (`ConnectionCore.end`).
final class ConnectionLoop {
    let core: ConnectionCore
    var transport: Transport
    let connection: Connection
    /// The live subscriptions, by kind.
    var routes: [UInt16: SubscriptionBuffer] = [:]
    /// What the server said before it closed.
    var farewell: ClientError?
    var isConnected = false
    /// The socket is connected; CONNECT may not be answered yet.
    private var isMade = false
    private let host: String
    private let port: UInt16
    private var handing: [UInt8] = []
    private var handed = 0
    private var isReading = true
    private var clock: HeartbeatClock
    private var deadline: Int64?

    /// Bytes given to the transport and not yet taken by the kernel, above which the rest stays with us.
    private static let unsentMax = 1 << 20
    private static let pieceBytes = 64 << 10

    /// Connects and serves until the connection ends.
    static func run(_ core: ConnectionCore, host: String, port: UInt16, connect: Connect) {
        do {
            let loop = try ConnectionLoop(core, host: host, port: port, connect: connect)
            core.end(loop.serveUntilTheEnd(), subscriptions: Array(loop.routes.values))
        } catch {
            core.end(ClientError(.cannotConnect, "\(error)"), subscriptions: [])
        }
    }

    private func serveUntilTheEnd() -> ClientError {
        do {
            return try serve()
        } catch let error as ClientError {
            return error
        } catch {
            return ClientError(.closed, "the connection to \(core.peer) broke: \(error)")
        }
    }

    private init(_ core: ConnectionCore, host: String, port: UInt16, connect: Connect) throws {
        self.core = core
        self.host = host
        self.port = port
        // One connection: a ring would gain nothing and take more memory.
        transport = try Transport(
            TransportOptions(connectionsMax: 2, messageMax: Self.frameBytesMax, backend: .epoll))
        connection = try transport.connect(host: host, port: port)
        let now = Transport.now()
        clock = HeartbeatClock(silenceMax: core.options.serverSilence.microseconds, now: now)
        deadline = now + core.options.timeout.microseconds
        let waker = transport.waker
        core.state.withLock { state in
            state.waker = waker
            state.outgoing.message(connect, stream: 0)
        }
    }

    /// Larger than any frame this version of a server sends.
    private static let frameBytesMax = 64 << 20

    /// Returns why the connection ended.
    private func serve() throws -> ClientError {
        while true {
            let now = Transport.now()
            let isClosing = try handOver()
            if isClosing, deadline == nil { deadline = now + core.options.timeout.microseconds }
            let wait = try nextWait(now: now, isClosing: isClosing)
            let events = try transport.poll(timeoutMicroseconds: wait)
            for index in 0..<events {
                let event = transport.event(index)
                switch event.kind {
                case .received:
                    clock.heard()
                    try receive(index, event)
                case .closed:
                    return farewell ?? closed(errno: event.error, isClosing: isClosing)
                case .ended:
                    guard event.ending == .endedByPeer else {
                        return farewell ?? closed(errno: event.error, isClosing: isClosing)
                    }
                    transport.closeEnded(event)
                case .connected: isMade = true
                case .accepted, .drained, .woken: break
                }
            }
            applyBackPressure()
        }
    }

    // MARK: - out

    /// Moves queued frames to the transport until there are none, or it has enough: then it says when it has drained.
    /// True when the connection is being closed.
    private func handOver() throws(ClientError) -> Bool {
        while true {
            let isClosing = try takeQueued()
            while handed < handing.count {
                guard transport.unsent(connection).bytes < Self.unsentMax else { return isClosing }
                let count = min(Self.pieceBytes, handing.count - handed)
                guard let space = transport.reserve(connection, count) else { return isClosing }
                handing.withUnsafeBytes {
                    space.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[handed..<handed + count]))
                }
                transport.commit(connection, count)
                handed += count
            }
            if handing.isEmpty { return isClosing }
        }
    }

    /// Takes what the tasks have queued, once everything taken before has been handed over.
    private func takeQueued() throws(ClientError) -> Bool {
        if handed == handing.count {
            handing.removeAll(keepingCapacity: true)
            handed = 0
        }
        let (room, isClosing, abort) = core.state.withLock { state in
            state.isWoken = false
            var room: [CheckedContinuation<Void, Never>] = []
            if handing.isEmpty, state.outgoing.count > 0 {
                state.outgoing.exchange(&handing)
                room = state.roomWaiters.map(\.continuation)
                state.roomWaiters = []
            }
            if case .closing = state.phase { return (room, true, state.abort) }
            return (room, false, state.abort)
        }
        for continuation in room { continuation.resume() }
        if let abort { throw abort }
        return isClosing
    }

    // MARK: - time

    /// Microseconds until something is due; ends what is overdue.
    private func nextWait(now: Int64, isClosing: Bool) throws -> Int64 {
        if let deadline, now >= deadline {
            throw isClosing
                ? ClientError(.closed, "the connection to \(core.peer) was closed")
                : ClientError(.timedOut, "no answer from \(core.peer) within \(seconds(core.options.timeout)) s")
        }
        let (expired, next) = core.state.withLock { state in
            (state.streams.expire(now: now), state.streams.nextDeadline())
        }
        for continuation in expired {
            continuation.resume(
                returning: .failure(
                    ClientError(.timedOut, "no reply from \(core.peer) within \(seconds(core.options.timeout)) s")))
        }
        var due = min(deadline ?? .max, next ?? .max)
        if isConnected, !isClosing {
            switch clock.check(now: now, isReading: isReading) {
            case .dead:
                throw ClientError(
                    .timedOut, "no sign of life from \(core.peer) for \(seconds(core.options.serverSilence)) s")
            case .beat:
                core.post(Heartbeat(opaque: UInt64(bitPattern: now)), expecting: .heartbeatAck)
                return 0
            case .wait(let until): due = min(due, until)
            }
        }
        return due == .max ? -1 : max(0, due - now)
    }

    /// The answer to CONNECT has come.
    func connected(_ answer: Connected) {
        isConnected = true
        deadline = nil
        clock.start(intervalMilliseconds: answer.heartbeatMilliseconds, now: Transport.now())
        let waiter = core.state.withLock { state in
            state.connected = answer
            if case .connecting = state.phase { state.phase = .open }
            defer { state.connectWaiter = nil }
            return state.connectWaiter
        }
        waiter?.resume(returning: .success(answer))
    }

    private func applyBackPressure() {
        guard !routes.isEmpty || !isReading else { return }
        let somebodyWaits = core.state.withLock { $0.streams.waiting > 0 }
        var pauses = false
        for buffer in routes.values where buffer.pauses(whileSomebodyWaits: somebodyWaits) { pauses = true }
        guard pauses == isReading else { return }
        isReading = !pauses
        transport.setReading(connection, isReading)
        if isReading { clock.heard() }
    }

    // MARK: - in

    private func receive(_ index: Int, _ event: TransportEvent) throws {
        let bytes = event.bytes.bytes
        var router = FrameRouter(loop: self)
        var offset = 0
        while offset < bytes.byteCount {
            switch cutFrame(bytes, at: offset, payloadMax: Self.frameBytesMax - FrameHeader.bytes) {
            case .frame(let header):
                try router.route(header, bytes, at: offset)
                offset += FrameHeader.bytes + header.payloadBytes
            case .incomplete(let need):
                router.flush(bytes)
                transport.consume(index, used: offset, need: need)
                return
            case .refused(let error):
                throw notTheProtocol(error.description)
            }
        }
        router.flush(bytes)
        transport.consume(index, used: offset, need: 0)
    }

    private func notTheProtocol(_ what: String) -> ClientError {
        isConnected
            ? .violation(what)
            : ClientError(
                .cannotConnect, "what answers at \(core.peer) is not a ConvergeDB server of this version: \(what)")
    }

    private func closed(errno: Int32, isClosing: Bool) -> ClientError {
        if isClosing { return ClientError(.closed, "the connection to \(core.peer) was closed") }
        guard isMade else {
            let error = TransportError.connecting(host: host, port: port, errno: errno)
            return ClientError(.cannotConnect, error.description)
        }
        let reason = errno == 0 ? "the server closed it" : String(cString: strerror(errno))
        guard isConnected else {
            return ClientError(
                .cannotConnect,
                "\(core.peer) ended the connection before it answered (\(reason)): is it a ConvergeDB server?")
        }
        return ClientError(.closed, "the connection to \(core.peer) broke: \(reason)")
    }
}

/// Whole seconds, or thousandths where they matter.
func seconds(_ duration: Duration) -> String {
    let micro = duration.microseconds
    return micro % 1_000_000 == 0 ? "\(micro / 1_000_000)" : "\(Double(micro / 1000) / 1000)"
}
