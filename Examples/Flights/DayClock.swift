import Glibc

/// The day's clock, the same in every process: minute 0 is at `start`, and minutes pass `perSecond` times as fast as
/// seconds.
struct DayClock: Sendable {
    /// Milliseconds since 1970 at which the day begins.
    var start: Int64
    var perSecond: Double

    static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    var minute: Int { Int(Double(DayClock.milliseconds() - start) / 1000 * perSecond) }

    func wait(for minute: Int) async throws {
        let due = start + Int64(Double(minute) / perSecond * 1000)
        let now = DayClock.milliseconds()
        if due > now { try await Task.sleep(for: .milliseconds(due - now)) }
    }

    /// `18:05`, or `+1 08:48` on the next day.
    static func text(_ minute: Int) -> String {
        let day = minute / 1440
        let text = "\(padded(minute / 60 % 24)):\(padded(minute % 60))"
        return day > 0 ? "+\(day) \(text)" : text
    }

    static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

struct Address: Sendable {
    var host: String
    var port: UInt16
}

/// Talk goes to stderr; stdout is for data and the board.
func say(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
