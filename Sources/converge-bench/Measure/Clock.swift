import Glibc

/// Monotonic nanoseconds, for what is shorter than the transport's microseconds.
@inline(__always)
func nanosecondsNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
}

/// Waits for moments: sleeps until shortly before, then looks at the clock until they are there. A sleep alone ends tens of
/// microseconds late.
struct Pacemaker {
    private static let spinNanoseconds: UInt64 = 40_000

    /// Asks the kernel not to put wake-ups of this thread off to join them with others (by 50 us, normally).
    init() {
        let file = open("/proc/self/timerslack_ns", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        var one = UInt8(ascii: "1")
        _ = write(file, &one, 1)
        close(file)
    }

    /// - Returns: what time it is then, in nanoseconds: `moment`, or later.
    func wait(until moment: UInt64) -> UInt64 {
        var now = nanosecondsNow()
        if moment > now &+ Self.spinNanoseconds {
            let early = moment - Self.spinNanoseconds
            var time = timespec(tv_sec: Int(early / 1_000_000_000), tv_nsec: Int(early % 1_000_000_000))
            _ = clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &time, nil)
            now = nanosecondsNow()
        }
        while now < moment { now = nanosecondsNow() }
        return now
    }
}
