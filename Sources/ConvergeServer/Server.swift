import ConvergeTransport
import ConvergeWire
import Glibc

/// A ConvergeDB server in memory: shards, each a thread with connections and partitions of its own (docs/ARCHITECTURE.md).
/// `run` is the first of them.
public struct Server: ~Copyable {
    private let context: ShardContext
    private let shards: [ShardThread]
    /// The port it listens on.
    public let port: UInt16
    /// Why epoll serves the sockets though io_uring was to: a sentence without its end. Nil: what was asked for serves them.
    public let netFallback: String?

    /// Listens; connections are served by `run`.
    /// - Throws: `ServerError`, a sentence: the address is not to be had, or memory is not.
    public init(_ configuration: ServerConfiguration) throws(ServerError) {
        precondition(configuration.shards >= 1 && configuration.shards <= configuration.partitions)
        let listening = try Listening(configuration)
        let context = try ShardContext(configuration, wakers: listening.wakers)
        var shards: [ShardThread] = []
        for (number, box) in listening.transports.enumerated() {
            shards.append(ShardThread(try Shard(context, number: number, box.take())))
        }
        self.context = context
        self.shards = shards
        port = listening.port
        netFallback = listening.fallback
    }

    /// Stops the server from any thread.
    public var stopper: Stopper { Stopper(context: context) }

    /// Serves until it is stopped, then takes leave of everyone.
    /// - Throws: `ServerError` when a shard cannot go on: then none does.
    public mutating func run() throws(ServerError) {
        for shard in shards.dropFirst() { shard.start() }
        shards[0].run()
        for shard in shards.dropFirst() { shard.join() }
        if let failure = context.failed { throw failure }
    }
}

/// A transport for each shard, all on one port.
private struct Listening {
    private(set) var transports: [TransportBox] = []
    private(set) var wakers: [Waker] = []
    private(set) var port: UInt16
    private(set) var fallback: String?

    init(_ configuration: ServerConfiguration) throws(ServerError) {
        port = configuration.port
        try Listening.probe(configuration)
        for _ in 0..<configuration.shards {
            var transport = try Listening.makeTransport(configuration)
            do { port = try transport.listen(host: configuration.host, port: port) } catch {
                throw ServerError(error.description)
            }
            wakers.append(transport.waker)
            fallback = transport.backend.fallback
            transports.append(TransportBox(transport))
        }
    }

    /// Shards share their port, and would share it with another server, too: it must be free before.
    private static func probe(_ configuration: ServerConfiguration) throws(ServerError) {
        guard configuration.shards > 1, configuration.port != 0 else { return }
        do {
            var probe = try Transport(TransportOptions(backend: .epoll))
            _ = try probe.listen(host: configuration.host, port: configuration.port)
        } catch { throw ServerError(error.description) }
    }

    private static func makeTransport(_ configuration: ServerConfiguration) throws(ServerError) -> Transport {
        var options = TransportOptions(
            connectionsMax: configuration.connectionsMax + ServerLimits.surplusConnections,
            unfinishedMax: configuration.unfinishedBytesMax / configuration.shards, messageMax: ServerLimits.frameBytes,
            queueLow: ServerLimits.queueLow, backend: configuration.net)
        options.sharesPort = configuration.shards > 1
        do { return try Transport(options) } catch { throw ServerError(error.description) }
    }
}

/// Stops a running server from any thread.
public struct Stopper: Sendable {
    let context: ShardContext

    public func stop() { context.stopAll() }
}

/// On its way to a shard.
private final class TransportBox {
    private var transport: Transport?
    init(_ transport: consuming Transport) { self.transport = consume transport }

    func take() -> Transport {
        guard let taken = transport.take() else { preconditionFailure("it is taken already") }
        return taken
    }
}

private final class ShardThread: @unchecked Sendable {
    private var shard: Shard
    private var thread = pthread_t()

    init(_ shard: consuming Shard) { self.shard = shard }

    func run() {
        do { try shard.run() } catch { shard.context.fail(error) }
    }

    func start() {
        let status = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<ShardThread>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(status == 0, "no thread for a shard")
    }

    func join() { pthread_join(thread, nil) }
}

/// Why a server cannot start or go on; `description` is a sentence that says what to change.
public struct ServerError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
