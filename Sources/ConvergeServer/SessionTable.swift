import ConvergeTransport

/// Sessions by connection slot.
struct SessionTable {
    private var sessions: [Session] = []
    /// Connections that are not closed yet.
    private(set) var count = 0

    var slots: Range<Int> { 0..<sessions.count }

    subscript(slot: Int) -> Session {
        @inline(__always) _read { yield sessions[slot] }
        @inline(__always) _modify { yield &sessions[slot] }
    }

    /// Whether the slot still belongs to the connection and may be talked to.
    func isAlive(_ connection: Connection) -> Bool {
        sessions[connection.slot].connection == connection && sessions[connection.slot].isAlive
    }

    mutating func open(_ connection: Connection) {
        while sessions.count <= connection.slot { sessions.append(Session()) }
        sessions[connection.slot] = Session()
        sessions[connection.slot].connection = connection
        sessions[connection.slot].state = .greeting
        count += 1
    }

    mutating func free(_ slot: Int) {
        sessions[slot] = Session()
        count -= 1
    }
}
