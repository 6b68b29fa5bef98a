public import ConvergeServer
import ConvergeTransport
import Glibc

/// A server on a port of its own and a thread of its own, inside the test process. It stops when it is let go.
public final class TestServer: @unchecked Sendable {
    public let port: UInt16
    private let running: RunningServer
    private let stopper: Stopper
    private var thread = pthread_t()
    private var isStopped = false

    /// Listens on 127.0.0.1 with a window of 1 ms and a linger of 100 ms unless told otherwise, so that tests do not wait.
    public init(_ configure: (inout ServerConfiguration) -> Void = { _ in }) throws {
        signal(SIGPIPE, SIG_IGN)
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.windowMilliseconds = 1
        configuration.lingerMilliseconds = 100
        // So that the whole suite can be run over the other way of serving sockets: make test-io-uring.
        if let text = getenv("CONVERGEDB_NET") {
            guard let net = TransportBackend(name: String(cString: text)) else {
                fatalError("CONVERGEDB_NET names no backend")
            }
            configuration.net = net
        }
        // And over several partitions: make test-partitions.
        configuration.partitions = TestServer.partitions
        configuration.shards = TestServer.shards
        configure(&configuration)
        running = RunningServer(try Server(configuration))
        port = running.server.port
        stopper = running.server.stopper
        let status = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<RunningServer>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(running).toOpaque())
        precondition(status == 0, "no thread for the test server")
    }

    /// Of each server, unless a test says otherwise.
    public static let shards = number("CONVERGEDB_SHARDS") ?? 1
    public static let partitions = number("CONVERGEDB_PARTITIONS") ?? shards

    private static func number(_ name: String) -> Int? {
        guard let text = getenv(name) else { return nil }
        guard let number = Int(String(cString: text)) else { fatalError("\(name) is no number") }
        return number
    }

    /// Stops it and waits for its end.
    /// - Throws: what the server threw.
    public func stop() throws {
        guard !isStopped else { return }
        isStopped = true
        stopper.stop()
        pthread_join(thread, nil)
        if let failure = running.failure { throw failure }
    }

    /// Asks it to stop without waiting.
    public func beginStop() { stopper.stop() }

    deinit { try? stop() }
}

private final class RunningServer {
    var server: Server
    var failure: ServerError?

    init(_ server: consuming Server) { self.server = server }

    func run() {
        do { try server.run() } catch { failure = error }
    }
}
