import ConvergeWire
import Synchronization

/// What a subscription should deliver (R2, R3, R5, R6).
public struct SubscriptionOptions: Sendable {
    /// Begin with a snapshot of everything.
    public var bootstrap = false
    /// Deliver the row before each change too.
    public var previous = false
    /// Be given the latest state of what was missed when reading too slowly, rather than be disconnected.
    public var conflate = false
    /// Deliver changes of the source set too (R9).
    public var sourceChanges = false
    /// Notifications the server keeps for a slow reader; 0: its default.
    public var serverBuffer: UInt32 = 0
    /// Updates of other fields need not be delivered; 0: all fields.
    public var interest: UInt64 = 0
    /// Resume from here (R4).
    public var token: [UInt8] = []
    /// Bytes that wait for a slow consumer, above which the client stops reading from the server.
    public var bufferBytes = 1 << 20

    public init() {}

    public static var bootstrap: SubscriptionOptions {
        var options = SubscriptionOptions()
        options.bootstrap = true
        return options
    }

    var flags: SubscribeFlags {
        var flags: SubscribeFlags = []
        if bootstrap { flags.insert(.bootstrap) }
        if previous { flags.insert(.previous) }
        if conflate { flags.insert(.conflate) }
        if sourceChanges { flags.insert(.sourceChanges) }
        return flags
    }
}

/// The notifications of one kind, in order, as an asynchronous sequence.
///
/// Back-pressure: when the consumer lags, at most `bufferBytes` wait here; then the client stops reading its connection,
/// and the server applies its policy for slow readers (R5). Replies come on the same connection, so they wait too: while
/// somebody waits for one, the buffer may grow to 16 times its size. Who consumes slowly gives the subscription a client
/// of its own.
///
/// The sequence ends with `nil` after `unsubscribe` or `close`, and throws what ended the connection otherwise. It has one
/// consumer: several iterators share the notifications between them. Letting the subscription go unsubscribes.
public final class Subscription: AsyncSequence, Sendable {
    public typealias Element = Notification

    public let kind: Kind
    /// The point from which live notifications are delivered (R4).
    public let token: [UInt8]
    private let client: Client
    let buffer: SubscriptionBuffer
    private let isUnsubscribed = Atomic(false)

    init(_ client: Client, _ kind: Kind, _ buffer: SubscriptionBuffer, token: [UInt8]) {
        self.client = client
        self.kind = kind
        self.buffer = buffer
        self.token = token
    }

    deinit {
        buffer.detach()
        if !isUnsubscribed.load(ordering: .relaxed) { client.core.postUnsubscribe(buffer, kind: kind.number) }
    }

    /// Ends the subscription. What was delivered before can still be consumed; then the sequence ends.
    public func unsubscribe() async throws(ClientError) {
        guard !isUnsubscribed.exchange(true, ordering: .relaxed) else { return }
        let effect = StreamTable.Effect.closes(buffer, kind: kind.number)
        let reply = try await client.core.request(
            Unsubscribe(kind: kind.number), expecting: .unsubscribed, effect: effect)
        let _: Unsubscribed = try client.decode(reply)
    }

    public func makeAsyncIterator() -> Iterator {
        Iterator(subscription: self)
    }

    public struct Iterator: AsyncIteratorProtocol {
        private let subscription: Subscription
        private var piece: [UInt8] = []
        private var offset = 0

        fileprivate init(subscription: Subscription) {
            self.subscription = subscription
        }

        /// The next notification; waits for it.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ClientError) -> Notification? {
            while true {
                if let notification = try nextReady() { return notification }
                switch subscription.buffer.take() {
                case .piece(let more): begin(more)
                case .end(nil): return nil
                case .end(let error?): throw error
                case .nothingYet:
                    if Task.isCancelled { throw .cancelled }
                    await subscription.buffer.wait(isolation: actor)
                }
            }
        }

        public mutating func next() async throws(ClientError) -> Notification? {
            try await next(isolation: nil)
        }

        /// The next notification if it has arrived; nil when there is none yet, or the sequence has ended.
        public mutating func nextReady() throws(ClientError) -> Notification? {
            if offset == piece.count {
                guard case .piece(let more) = subscription.buffer.take() else { return nil }
                begin(more)
            }
            do {
                let (notification, next) = try Notification.decode(piece, at: offset, of: subscription.kind)
                offset = next
                return notification
            } catch {
                subscription.buffer.finish(error)
                subscription.client.core.beginClosing(Goodbye(mode: 0))
                throw error
            }
        }

        private mutating func begin(_ more: [UInt8]) {
            piece = more
            offset = 0
        }
    }
}

extension Client {
    /// Subscribes to a kind (R2). One subscription a kind and connection.
    ///
    /// - Throws: `refused(unknownKind)`, `refused(alreadySubscribed)`.
    public func subscribe(
        _ kind: Kind, _ options: SubscriptionOptions = SubscriptionOptions()
    ) async throws(ClientError) -> Subscription {
        guard options.token.count <= WireLimits.stringBytes else {
            throw ClientError(.invalid, "the token has \(options.token.count) bytes: give it as the server sent it")
        }
        let core = core
        let buffer = SubscriptionBuffer(bytesMax: max(1, options.bufferBytes)) { core.wake() }
        let message = Subscribe(
            kind: kind.number, flags: options.flags, buffer: options.serverBuffer, interest: options.interest,
            token: options.token)
        let reply: Reply
        do {
            reply = try await core.request(message, expecting: .subscribed, effect: .opens(buffer, kind: kind.number))
        } catch {
            buffer.detach()
            throw error
        }
        let answer: Subscribed = try decode(reply)
        return Subscription(self, kind, buffer, token: answer.token)
    }
}
