/// How a client presents itself and how long it waits. `ClientOptions()` claims the lowest free source.
public struct ClientOptions: Sendable {
    /// A name for people, shown by the server.
    public var name = ""
    /// The source to claim, 0...63; nil asks for the lowest free one (`L1`): no connection holds it, and nothing is asserted
    /// by it. What a source asserts outlives its connection, so a program that runs again and again names its source:
    /// otherwise each run gets another one, until none of the 64 is free.
    public var source: UInt8?
    /// Several connections may be this source, if all of them say so (`L1`).
    public var shared = false
    /// Replace an older connection that holds the source (`L1`).
    public var takeover = false
    /// No source; every write is refused.
    public var readOnly = false
    /// The same session replaces its older connection. nil: a random one.
    public var session: UInt128?
    /// How long the server waits for a sign of life before it retracts what the source asserted (`L2`).
    public var liveness = Liveness.serverDefault
    /// Presented to the server's access control.
    public var token: [UInt8] = []
    /// Time for the connection to be made, and for each reply.
    public var timeout: Duration = .seconds(10)
    /// Silence after which the server is given up: not a byte for this long behind a heartbeat.
    public var serverSilence: Duration = .seconds(30)
    /// Bytes of writes waiting to be sent, above which a writer waits.
    public var outgoingBytes = 4 << 20

    public init() {}

    public enum Liveness: Hashable, Sendable {
        case serverDefault
        /// What the source asserts stays until it is retracted.
        case never
        case milliseconds(UInt32)

        var wireValue: UInt32 {
            switch self {
            case .serverDefault: 0
            case .never: .max
            case .milliseconds(let value): value
            }
        }
    }
}

extension Duration {
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max / 4 : min(.max / 4, whole + attoseconds / 1_000_000_000_000)
    }
}
