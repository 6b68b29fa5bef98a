@_exported public import ConvergeSchema
import ConvergeTransport
@_exported public import ConvergeWire
import Synchronization

/// A connection to a ConvergeDB server: one source that writes, or a reader.
///
///     let client = try await Client.connect(host: "127.0.0.1", port: 3727)
///     let flights = try await client.kind(named: "Flight")
///     try await client.assert(flights, .text("UA-1545"), ["status": .string("boarding")])
///     let synced = try await client.sync()
///
/// Writes are fire-and-forget: they return when they are queued. What the server refuses comes through `refusals`, and
/// `sync` says how many there were. Everything may be called from any task; what one task does keeps its order.
///
/// A client that is let go without `close` closes its connection.
public final class Client: Sendable {
    let core: ConnectionCore
    /// What the server said of itself.
    public let server: ServerInfo
    /// The source claimed; nil for a read-only connection.
    public let source: UInt8?
    let synced = Mutex((applied: UInt64(0), refused: UInt64(0)))

    public struct ServerInfo: Sendable {
        /// Name and version, for people.
        public let name: String
        public let protocolVersion: UInt8
        public let partitions: UInt16
        /// Bytes of the largest frame that the server takes.
        public let frameBytes: Int
        /// Interval in which the server wants a sign of life.
        public let heartbeat: Duration
        /// The server's clock when it answered, microseconds since 1970.
        public let timeMicroseconds: UInt64
    }

    private init(_ core: ConnectionCore, _ answer: Connected) {
        self.core = core
        source = answer.source == Connected.noSource ? nil : answer.source
        server = ServerInfo(
            name: answer.server, protocolVersion: answer.version, partitions: answer.partitions,
            frameBytes: Int(answer.frameMax), heartbeat: .milliseconds(Int64(answer.heartbeatMilliseconds)),
            timeMicroseconds: answer.serverTimeMicroseconds)
    }

    deinit { core.beginClosing(Goodbye(mode: 0)) }

    /// Connects and claims a source (L1).
    ///
    /// - Throws: `cannotConnect`, `timedOut`, `refused(sourceClaimed)` and other refusals, `invalid` for options that
    ///   cannot be sent, `cancelled`.
    public static func connect(
        host: String, port: UInt16 = WireLimits.defaultPort, options: ClientOptions = ClientOptions()
    ) async throws(ClientError) -> Client {
        let connect = try options.message()
        let core = ConnectionCore(options: options, peer: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)")
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<Connected, ClientError>, Never>) in
                core.state.withLock { $0.connectWaiter = continuation }
                let started = startThread { ConnectionLoop.run(core, host: host, port: port, connect: connect) }
                if !started {
                    let error = ClientError(.cannotConnect, "no thread can be started: raise the process limit")
                    core.end(error, subscriptions: [])
                }
            }
        } onCancel: {
            core.abort(.cancelled)
        }
        if Task.isCancelled {
            core.abort(.cancelled)
            throw .cancelled
        }
        return Client(core, try result.get())
    }

    /// Refused writes, as reports come in. The newest 1,024 are kept for a reader that lags; one reader at a time.
    public var refusals: AsyncStream<Refusal> { core.refusals }

    /// Round trip of a heartbeat.
    public func ping() async throws(ClientError) -> Duration {
        let begin = Transport.now()
        let opaque = UInt64(bitPattern: begin)
        let answer = try await request(Heartbeat(opaque: opaque), HeartbeatAck.self)
        guard answer.opaque == opaque else { throw violate("a heartbeat was answered with another's number") }
        return .microseconds(Transport.now() - begin)
    }

    /// Sends a JSON document of the ADMIN vocabulary and returns the answer's JSON.
    ///
    /// - Throws: `refused(notAllowed)` from another machine than the server's.
    public func admin(_ json: [UInt8]) async throws(ClientError) -> [UInt8] {
        try await request(Admin(json: json), AdminReply.self).json
    }

    /// How to leave (L2).
    public enum CloseMode: UInt8, Sendable {
        /// The source's assertions stay until its deadline has passed.
        case keep = 0
        case retractNow = 1
    }

    /// Sends what is queued, says goodbye, and returns when the connection has ended. Subscriptions end.
    public func close(_ mode: CloseMode = .keep) async {
        core.beginClosing(Goodbye(mode: mode.rawValue))
        await core.waitForEnd()
    }

    // MARK: - requests

    func request<Answer: Message>(
        _ message: some Message, _ answer: Answer.Type
    ) async throws(ClientError) -> Answer {
        try decode(await core.request(message, expecting: Answer.opcode))
    }

    func decode<Answer: Message>(_ reply: Reply) throws(ClientError) -> Answer {
        do {
            return try Answer(payload: reply.payload.span.bytes)
        } catch {
            throw violate(error.description)
        }
    }

    /// The server broke the protocol in a way that only the reader of a reply can see: give it up.
    func violate(_ what: String) -> ClientError {
        let error = ClientError.violation(what)
        core.abort(error)
        return error
    }
}

extension ClientOptions {
    /// CONNECT, after checking that it can be sent.
    fileprivate func message() throws(ClientError) -> Connect {
        var connect = Connect()
        if let source, source > 63 {
            throw ClientError(.invalid, "source \(source) does not exist: use 0 to 63")
        }
        if readOnly, source != nil {
            throw ClientError(.invalid, "a read-only connection has no source: leave out one of the two")
        }
        guard name.utf8.count <= WireLimits.stringBytes, token.count <= WireLimits.stringBytes else {
            throw ClientError(.invalid, "name and token may have at most \(WireLimits.stringBytes) bytes: shorten them")
        }
        guard connectBytes <= WireLimits.frameBytesBeforeConnect else {
            throw ClientError(
                .invalid,
                "name and token together do not fit a CONNECT of \(WireLimits.frameBytesBeforeConnect) bytes: shorten them"
            )
        }
        if readOnly { connect.flags.insert(.readOnly) }
        if let source {
            connect.flags.insert(.hasSource)
            connect.source = source
        }
        if shared { connect.flags.insert(.shared) }
        if takeover { connect.flags.insert(.takeover) }
        connect.session = session ?? .random(in: .min ... .max)
        connect.livenessMilliseconds = liveness.wireValue
        connect.name = name
        connect.token = token
        connect.client = "ConvergeClient/Swift"
        return connect
    }

    private var connectBytes: Int { FrameHeader.bytes + Connect().payloadBytes + 64 + name.utf8.count + token.count }
}
