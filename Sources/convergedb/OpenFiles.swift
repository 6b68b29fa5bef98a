import ConvergeServer
import Glibc

/// Every connection is an open file. Raises the limit as far as it may be raised, and takes only as many connections as
/// fit: a client that comes too late is to hear why, instead of waiting for an accept that fails.
/// - Returns: what cannot be had though it was asked for, as a sentence; nil: nothing.
func fitOpenFiles(_ options: inout ServeOptions) -> String? {
    /// Listeners, epoll or io_uring, standard streams, connections that are only told why they are closed.
    let others = 128
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let most = max(1, Int(clamping: limit.rlim_cur) - others)
    guard options.configuration.connectionsMax > most else { return nil }
    guard !options.given.contains("--connections-max") else {
        return
            "\(options.configuration.connectionsMax) connections (--connections-max) need as many open files, and \(others) "
            + "more; this process may have \(limit.rlim_cur): raise its limit (ulimit -n), or ask for at most \(most)"
    }
    options.configuration.connectionsMax = most
    return nil
}
