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
    private var lastHeard: Int64

    init(silenceMax: Int64, now: Int64) {
        self.silenceMax = silenceMax
        lastBeat = now
        lastHeard = now
    }

    /// The server has said how often it wants to hear from us; 0: never. Less than 0.1 s is taken as 0.1 s.
    mutating func start(intervalMilliseconds: UInt32, now: Int64) {
        interval = intervalMilliseconds == 0 ? .max : max(100_000, Int64(intervalMilliseconds) * 1000)
        lastBeat = now
        lastHeard = now
    }

    /// Bytes came, or we began to listen again.
    mutating func heard(now: Int64) {
        lastHeard = now
    }

    mutating func check(now: Int64, isReading: Bool) -> Due {
        guard interval != .max else { return .wait(until: .max) }
        // Silence counts from the heartbeat that should have ended it, and only while we listen.
        let silentSince = max(lastHeard, lastBeat - interval)
        if isReading, now - silentSince >= interval + silenceMax { return .dead }
        if now - lastBeat >= interval {
            lastBeat = now
            return .beat
        }
        let next = lastBeat + interval
        return .wait(until: isReading ? min(next, silentSince + interval + silenceMax) : next)
    }
}
