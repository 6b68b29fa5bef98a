import Glibc

/// User and system time of a process, in nanosecond resolution: `/proc` has ticks of 10 ms, too coarse for a run.
struct ProcessClock {
    private let clock: clockid_t

    /// Of this program.
    static let own = ProcessClock(clock: CLOCK_PROCESS_CPUTIME_ID)

    private init(clock: clockid_t) { self.clock = clock }

    init(pid: pid_t) throws {
        var clock = clockid_t()
        guard clock_getcpuclockid(pid, &clock) == 0 else {
            throw BenchFailure(
                .usage, "there is no process \(pid) on this machine: give the server's with --server-pid")
        }
        self.init(clock: clock)
    }

    /// CPU seconds so far; nil: the process has ended.
    var seconds: Double? {
        var time = timespec()
        guard clock_gettime(clock, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
