import ConvergeTransport
import Glibc
import Synchronization

/// Questions to the readers' thread and its answers: one at a time.
final class Exchange: Sendable {
    enum Question {
        /// When everything that the server had queued by now has arrived: what has been counted?
        case counts
        /// When every subscriber has these versions, or in vain: who lacks what?
        case missing([UInt32])
        case end
    }

    enum Answer {
        /// To no question: everybody is subscribed, and this wakes the thread.
        case ready(Waker)
        case counts(ReaderCounts)
        case missing(subscribers: Int, rows: Int)
    }

    private struct State {
        var question: Question?
        var answer: Answer?
        /// Why the thread has ended.
        var failure: BenchFailure?
    }

    private let state = Mutex(State())
    private let answered = Semaphore()

    // MARK: The one who asks

    /// Puts the question; the readers' transport is to be woken then.
    func put(_ question: Question) { state.withLock { $0.question = question } }

    /// Waits for the answer.
    /// - Throws: why the readers' thread has ended.
    func awaitAnswer() throws -> Answer {
        answered.wait()
        try check()
        let answer = state.withLock { state in
            defer { state.answer = nil }
            return state.answer
        }
        guard let answer else { throw BenchFailure(.cannotConnect, "the subscribers have ended") }
        return answer
    }

    func check() throws {
        if let failure = state.withLock({ $0.failure }) { throw failure }
    }

    // MARK: The readers' thread

    func takeQuestion() -> Question? {
        state.withLock { state in
            defer { state.question = nil }
            return state.question
        }
    }

    func answer(_ answer: Answer) {
        state.withLock { $0.answer = answer }
        answered.post()
    }

    func fail(_ failure: BenchFailure) {
        state.withLock { $0.failure = failure }
        answered.post()
    }
}

/// A POSIX semaphore.
private final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func post() { sem_post(semaphore) }

    func wait() { while sem_wait(semaphore) != 0 {} }
}
