import ConvergeTransport
import ConvergeWire
import Synchronization

/// What the tasks that use a client and the thread that runs its connection share:
///
///     tasks ──▶ outgoing bytes, requests ──▶ thread ──▶ socket
///     tasks ◀── replies, refusals, subscription buffers ◀── thread ◀──
///
/// Invariants. 1: frames leave in the order in which they entered `outgoing`. 2: a continuation is resumed exactly once,
/// outside the lock. 3: after `phase` is `.ended` nothing is added. 4: `waker` is set only while its transport lives.
final class ConnectionCore: Sendable {
    enum Phase {
        case connecting
        case open
        /// GOODBYE is queued; nothing may follow it.
        case closing
        case ended(ClientError)
    }

    struct State {
        var phase = Phase.connecting
        var waker: Waker?
        var isWoken = false
        var outgoing = Outgoing()
        var streams = StreamTable()
        /// Writers waiting until `outgoing` is below its bound.
        var roomWaiters: [(id: WaitID, continuation: CheckedContinuation<Void, Never>)] = []
        var connected: Connected?
        var connectWaiter: CheckedContinuation<Result<Connected, ClientError>, Never>?
        var endWaiters: [CheckedContinuation<Void, Never>] = []
        /// Waits that were cancelled before they began.
        var cancelled: Set<WaitID> = []
        var nextWait: UInt64 = 0
        /// Writes queued so far: the ordinal of the last one (W4).
        var writes: UInt64 = 0
        var refusals: [Refusal] = []
        /// Why the thread has to end the connection at once.
        var abort: ClientError?
        /// Times that the outgoing bytes were full and a writer had to wait.
        var stalls: UInt64 = 0
    }

    /// Refusals kept for the next `sync`.
    static let refusalsKept = 1024

    let options: ClientOptions
    let peer: String
    let refusals: AsyncStream<Refusal>
    let refusalSink: AsyncStream<Refusal>.Continuation
    let state = Mutex(State())

    init(options: ClientOptions, peer: String) {
        self.options = options
        self.peer = peer
        (refusals, refusalSink) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.refusalsKept))
    }

    // MARK: - requests

    /// Sends a message and waits for the reply, at most `options.timeout`.
    func request(
        _ message: some Message, expecting expected: Opcode, effect: StreamTable.Effect = .none
    ) async throws(ClientError) -> Reply {
        let wait = newWait()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: ReplyContinuation) in
                if let failure = begin(message, expecting: expected, effect: effect, wait, continuation) {
                    continuation.resume(returning: .failure(failure))
                }
            }
        } onCancel: {
            cancel(wait)
        }
        forget(wait)
        return try result.get()
    }

    /// Sends a message whose reply nobody waits for.
    func post(_ message: some Message, expecting expected: Opcode, effect: StreamTable.Effect = .none) {
        state.withLock { state in
            guard case .open = state.phase else { return }
            let request = StreamTable.Request(expected: expected, effect: effect)
            guard let stream = state.streams.open(request, deadline: .max) else { return }
            state.outgoing.message(message, stream: stream)
            state.wake()
        }
    }

    /// Ends a subscription that nobody reads.
    func postUnsubscribe(_ buffer: SubscriptionBuffer, kind: UInt16) {
        post(Unsubscribe(kind: kind), expecting: .unsubscribed, effect: .closes(buffer, kind: kind))
    }

    /// nil: the continuation is taken; else why it is not.
    private func begin(
        _ message: some Message, expecting expected: Opcode, effect: StreamTable.Effect, _ wait: WaitID,
        _ continuation: ReplyContinuation
    ) -> ClientError? {
        state.withLock { state in
            if let failure = state.unusable { return failure }
            if state.cancelled.contains(wait) { return .cancelled }
            if let max = state.connected?.frameMax, message.frameBytes > Int(max) {
                return ClientError(
                    .invalid,
                    "the request has \(message.frameBytes) bytes; the server takes at most \(max): make it smaller")
            }
            let request = StreamTable.Request(expected: expected, effect: effect, waiter: (wait, continuation))
            let deadline = Transport.now() + options.timeout.microseconds
            guard let stream = state.streams.open(request, deadline: deadline) else {
                return ClientError(
                    .invalid, "\(WireLimits.streamMax) requests are under way on this connection: wait for some replies"
                )
            }
            state.outgoing.message(message, stream: stream)
            state.wake()
            return nil
        }
    }

    // MARK: - writes

    /// Puts write frames behind what is already queued; waits while more than `options.outgoingBytes` are unsent.
    ///
    /// - Returns: the ordinal of the last of the `count` writes (W4).
    func write(count: UInt64, _ encode: (inout Outgoing) -> Void) async throws(ClientError) -> UInt64 {
        while true {
            enum Step {
                case done(UInt64)
                case failed(ClientError)
                case wait
            }
            let step = state.withLock { state -> Step in
                if let failure = state.unusable { return .failed(failure) }
                guard state.outgoing.count < options.outgoingBytes else { return .wait }
                encode(&state.outgoing)
                state.writes += count
                state.wake()
                return .done(state.writes)
            }
            switch step {
            case .done(let ordinal): return ordinal
            case .failed(let error): throw error
            case .wait: try await waitForRoom()
            }
        }
    }

    private func waitForRoom() async throws(ClientError) {
        let wait = newWait()
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let waits = state.withLock { state in
                    guard state.unusable == nil, !state.cancelled.contains(wait),
                        state.outgoing.count >= options.outgoingBytes
                    else { return false }
                    state.roomWaiters.append((wait, continuation))
                    state.stalls += 1
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            cancel(wait)
        }
        forget(wait)
        if Task.isCancelled { throw .cancelled }
    }

    // MARK: - waits

    private func newWait() -> WaitID {
        state.withLock { state in
            state.nextWait += 1
            return WaitID(rawValue: state.nextWait)
        }
    }

    private func forget(_ wait: WaitID) {
        state.withLock { _ = $0.cancelled.remove(wait) }
    }

    private func cancel(_ wait: WaitID) {
        typealias Waits = (reply: ReplyContinuation?, room: CheckedContinuation<Void, Never>?)
        let (reply, room) = state.withLock { state -> Waits in
            state.cancelled.insert(wait)
            let reply = state.streams.abandon(wait)
            guard let index = state.roomWaiters.firstIndex(where: { $0.id == wait }) else { return (reply, nil) }
            return (reply, state.roomWaiters.remove(at: index).continuation)
        }
        reply?.resume(returning: .failure(.cancelled))
        room?.resume()
    }

    // MARK: - the end

    /// Says goodbye behind everything queued so far. Nothing can be sent after it.
    func beginClosing(_ goodbye: Goodbye) {
        state.withLock { state in
            switch state.phase {
            case .open: state.outgoing.message(goodbye, stream: 0)
            case .connecting: break
            case .closing, .ended: return
            }
            state.phase = .closing
            state.wake()
        }
    }

    /// Ends the connection at once, without saying goodbye to a server that has broken the protocol.
    func abort(_ error: ClientError) {
        state.withLock { state in
            state.abort = error
            state.wake()
        }
    }

    func waitForEnd() async {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state in
                if case .ended = state.phase { return true }
                state.endWaiters.append(continuation)
                return false
            }
            if ended { continuation.resume() }
        }
    }

    /// Ends every wait with `error`, and the subscriptions, without an error if it was our wish. Called once, by the
    /// thread.
    func end(_ error: ClientError, subscriptions: [SubscriptionBuffer]) {
        let (requests, rooms, ends, connect, isWished) = state.withLock { state in
            let isWished = if case .closing = state.phase { state.abort == nil } else { false }
            state.phase = .ended(error)
            state.waker = nil
            state.outgoing = Outgoing()
            defer {
                state.roomWaiters = []
                state.endWaiters = []
                state.connectWaiter = nil
            }
            return (state.streams.removeAll(), state.roomWaiters, state.endWaiters, state.connectWaiter, isWished)
        }
        connect?.resume(returning: .failure(error))
        for request in requests {
            request.waiter?.continuation.resume(returning: .failure(error))
            if case .opens(let buffer, _) = request.effect { buffer.finish(error) }
        }
        for buffer in subscriptions { buffer.finish(isWished ? nil : error) }
        for room in rooms { room.continuation.resume() }
        refusalSink.finish()
        for end in ends { end.resume() }
    }

    /// Makes the thread look at what has changed.
    func wake() {
        state.withLock { $0.wake() }
    }
}

extension ConnectionCore.State {
    /// Why nothing can be sent, or nil.
    var unusable: ClientError? {
        switch phase {
        case .open: nil
        case .connecting: ClientError(.closed, "the connection is not made yet")
        case .closing: ClientError(.closed, "the connection is being closed")
        case .ended(let error): error
        }
    }

    mutating func wake() {
        guard !isWoken else { return }
        isWoken = true
        waker?.wake()
    }
}
