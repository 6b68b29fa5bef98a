import ConvergeTransport

/// Connections, first in, first out. Who goes through it takes as many as it has time for, and pays for no others.
struct ConnectionQueue {
    private var items: [Connection] = []
    private var first = 0

    var count: Int { items.count - first }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ connection: Connection) { items.append(connection) }

    mutating func popFirst() -> Connection? {
        guard first < items.count else { return nil }
        defer {
            first += 1
            // Moved once for each that has gone.
            if first * 2 >= items.count {
                items.removeFirst(first)
                first = 0
            }
        }
        return items[first]
    }
}
