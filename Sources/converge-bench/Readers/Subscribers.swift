import ConvergeTransport

/// The subscribers, on a thread of their own, so that what they receive does not hold up those who write.
final class Subscribers {
    private let exchange = Exchange()
    private let waker: Waker
    private let thread: Thread

    /// Connects and subscribes; from here on every change of the kind is received and counted.
    init(_ options: Options, kind: UInt16) throws {
        let exchange = self.exchange
        thread = try Thread { Self.run(options, kind, exchange) }
        do {
            guard case .ready(let waker) = try exchange.awaitAnswer() else {
                preconditionFailure("nothing was asked for")
            }
            self.waker = waker
        } catch {
            thread.join()
            throw error
        }
    }

    /// The thread. It connects too: a transport is polled by one thread.
    private static func run(_ options: Options, _ kind: UInt16, _ exchange: Exchange) {
        do {
            var loop = try ReaderLoop.subscribed(options, kind: kind)
            exchange.answer(.ready(loop.waker))
            try loop.run(exchange)
        } catch let failure as BenchFailure { exchange.fail(failure) } catch {
            exchange.fail(BenchFailure(.cannotConnect, "\(error)"))
        }
    }

    deinit {
        exchange.put(.end)
        waker.wake()
        thread.join()
    }

    /// - Throws: why a subscriber was disconnected.
    func check() throws { try exchange.check() }

    /// What has been counted when everything that the server had queued by now has arrived.
    func counts() throws -> ReaderCounts {
        guard case .counts(let counts) = try ask(.counts) else { preconditionFailure("another answer was asked for") }
        return counts
    }

    /// Waits until every subscriber has been told these versions, the latest, of all entities.
    /// - Throws: `checkFailed`: rows were missed.
    func requireComplete(_ latest: [UInt32]) throws {
        guard case .missing(let subscribers, let rows) = try ask(.missing(latest)) else {
            preconditionFailure("another answer was asked for")
        }
        guard rows == 0 else {
            throw BenchFailure(
                .checkFailed, "\(subscribers) subscribers have not got the latest state of \(rows) rows in all")
        }
    }

    private func ask(_ question: Exchange.Question) throws -> Exchange.Answer {
        exchange.put(question)
        waker.wake()
        return try exchange.awaitAnswer()
    }
}
