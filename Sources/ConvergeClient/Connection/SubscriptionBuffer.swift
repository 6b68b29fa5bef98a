import Synchronization

/// Notifications of one subscription between the connection's thread and the task that reads them: whole frames, in the
/// pieces in which they were received. Bounded: above its limit the thread stops reading the socket.
final class SubscriptionBuffer: Sendable {
    private struct State {
        var pieces: [[UInt8]] = []
        var first = 0
        var bytes = 0
        var isPaused = false
        /// Nobody reads any more: what still comes is dropped.
        var isDetached = false
        var end: Result<Void, ClientError>?
        var waiters: [(id: WaitID, continuation: CheckedContinuation<Void, Never>)] = []
        var cancelled: Set<WaitID> = []
        var nextWait: UInt64 = 0

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [] }
            return waiters.map(\.continuation)
        }
    }

    enum Taken {
        case piece([UInt8])
        case nothingYet
        /// nil: the subscription was ended by its owner.
        case end(ClientError?)
    }

    private let state = Mutex(State())
    private let bytesMax: Int
    /// Called when a paused buffer has room again.
    private let onRoom: @Sendable () -> Void

    init(bytesMax: Int, onRoom: @escaping @Sendable () -> Void) {
        self.bytesMax = bytesMax
        self.onRoom = onRoom
    }

    /// Bytes that wait here.
    var bytes: Int { state.withLock { $0.bytes } }

    /// Whether this buffer keeps the socket from being read.
    var isPaused: Bool { state.withLock { $0.isPaused } }

    // MARK: - the connection's thread

    func append(_ piece: [UInt8]) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard !state.isDetached, state.end == nil else { return [] }
            state.pieces.append(piece)
            state.bytes += piece.count
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Whether the socket must not be read. Somebody who waits for a reply may be the one who empties this buffer: then
    /// it may grow to 16 times its limit before that deadlock is let happen (and ends by time-out).
    func pauses(whileSomebodyWaits: Bool) -> Bool {
        state.withLock { state in
            state.isPaused = !state.isDetached && state.bytes > bytesMax * (whileSomebodyWaits ? 16 : 1)
            return state.isPaused
        }
    }

    /// What is buffered can still be taken; then comes the end.
    func finish(_ error: ClientError?) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if state.end == nil { state.end = error.map { .failure($0) } ?? .success(()) }
            return state.takeWaiters()
        }
        for waiter in waiters { waiter.resume() }
    }

    // MARK: - the reader

    func take() -> Taken {
        let (taken, hasRoom) = state.withLock { state -> (Taken, Bool) in
            if state.first < state.pieces.count {
                let piece = state.pieces[state.first]
                state.pieces[state.first] = []
                state.first += 1
                state.bytes -= piece.count
                if state.first == state.pieces.count || state.first >= 64 {
                    state.pieces.removeFirst(state.first)
                    state.first = 0
                }
                let hasRoom = state.isPaused && state.bytes <= bytesMax / 2
                if hasRoom { state.isPaused = false }
                return (.piece(piece), hasRoom)
            }
            switch state.end {
            case nil: return (.nothingYet, false)
            case .success: return (.end(nil), false)
            case .failure(let error): return (.end(error), false)
            }
        }
        if hasRoom { onRoom() }
        return taken
    }

    /// Returns when there may be something to take, or when the task is cancelled.
    func wait(isolation actor: isolated (any Actor)?) async {
        let wait = state.withLock { state in
            state.nextWait += 1
            return WaitID(rawValue: state.nextWait)
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                let waits = state.withLock { state in
                    guard state.first == state.pieces.count, state.end == nil, !state.cancelled.contains(wait) else {
                        return false
                    }
                    state.waiters.append((wait, continuation))
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.cancelled.insert(wait)
                guard let index = state.waiters.firstIndex(where: { $0.id == wait }) else { return nil }
                return state.waiters.remove(at: index).continuation
            }
            waiter?.resume()
        }
        state.withLock { _ = $0.cancelled.remove(wait) }
    }

    /// Drops what is buffered and everything that still comes.
    func detach() {
        let hadPaused = state.withLock { state in
            defer { state.isPaused = false }
            state.isDetached = true
            state.pieces = []
            state.first = 0
            state.bytes = 0
            return state.isPaused
        }
        finish(nil)
        if hadPaused { onRoom() }
    }
}
