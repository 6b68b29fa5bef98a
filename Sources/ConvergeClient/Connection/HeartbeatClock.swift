/// When to send a heartbeat, and when the server is given up (L2). Times in microseconds of a monotonic clock.
struct HeartbeatClock {
    enum Due: Equatable {
        case wait(until: Int64)
        case beat
        case dead
    }

    private let silenceMax: Int64
    private var interval: Int64 = .max
    private var lastBeat: Int64
    /// The first heartbeat since which nothing has come. Silence counts from there, so that a gap of our own loop is not
    /// taken for one of the server's.
    private var unanswered: Int64?

    init(silenceMax: Int64, now: Int64) {
        self.silenceMax = silenceMax
        lastBeat = now
    }

    /// The server has said how often it wants to hear from us; 0: never. Less than 0.1 s is taken as 0.1 s.
    mutating func start(intervalMilliseconds: UInt32, now: Int64) {
        interval = intervalMilliseconds == 0 ? .max : max(100_000, Int64(intervalMilliseconds) * 1000)
        lastBeat = now
    }

    /// Bytes came, or we began to listen again.
    mutating func heard() {
        unanswered = nil
    }

    mutating func check(now: Int64, isReading: Bool) -> Due {
        guard interval != .max else { return .wait(until: .max) }
        let death = isReading ? unanswered.map { $0 + silenceMax } ?? .max : .max
        if now >= death { return .dead }
        if now - lastBeat >= interval {
            lastBeat = now
            if unanswered == nil { unanswered = now }
            return .beat
        }
        return .wait(until: min(lastBeat + interval, death))
    }
}
