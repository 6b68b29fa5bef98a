import ConvergeJSON

/// What the server counted since its start, as far as a report uses it.
struct ServerStatistics {
    private let document: JSONValue

    init(_ document: JSONValue) { self.document = document }

    var windowMilliseconds: Int { number("window_ms") }
    /// Windows in which something changed.
    var flushes: Int { number("flushes", "changed") }
    /// Rows that flushes changed.
    var changes: Int {
        number("flushes", "created") + number("flushes", "updated") + number("flushes", "deleted")
    }
    var bytesSent: Int { number("net", "bytes_out") }
    var sends: Int { number("net", "sends") }
    var bytesReceived: Int { number("net", "bytes_in") }
    var receives: Int { number("net", "receives") }
    var movedToCatchUp: Int { number("subscriptions", "moved_to_catch_up") }

    var backend: String { document["net"]?["backend"]?.string ?? "?" }

    private func number(_ path: String...) -> Int {
        var value: JSONValue? = document
        for key in path { value = value?[key] }
        return value?.integer() ?? 0
    }
}
