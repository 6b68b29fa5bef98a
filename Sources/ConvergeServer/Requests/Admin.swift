import ConvergeJSON
import ConvergeTransport
import ConvergeWire

extension Shard {
    /// ADMIN: one JSON document in, one out, off every hot path; from this machine only, as there is no access control yet.
    mutating func admin(_ slot: Int, _ stream: UInt16, _ message: Admin) throws(WireError) {
        guard isLoopback(transport.peer(sessions[slot].connection)) else {
            throw WireError(
                .notAllowed, "ADMIN is answered on the server's own machine only: connect over its loopback address")
        }
        guard message.json.count <= ServerLimits.adminBytes else {
            throw WireError(
                .limitReached,
                "an ADMIN document has at most \(ServerLimits.adminBytes) bytes, this one \(message.json.count): shorten it"
            )
        }
        let document: JSONValue
        do { document = try JSONValue(parsing: message.json) } catch {
            throw WireError(.malformedMessage, "ADMIN takes a JSON document such as {\"command\":\"stats\"}: \(error)")
        }
        switch document["command"]?.string {
        case "stats":
            sessions[slot].awaitsShards = true
            let connection = sessions[slot].connection
            gather({ shard in shard.statistics() }, { home, parts in home.answerStatistics(connection, stream, parts) })
        case let other:
            let given = other.map { "there is no ADMIN command '\($0)'" } ?? "ADMIN needs a string 'command'"
            throw WireError(.unsupported, "\(given): the commands are 'stats'")
        }
    }
}

extension Shard {
    private mutating func answerStatistics(_ connection: Connection, _ stream: UInt16, _ parts: [StatisticsTree]) {
        guard sessions.isAlive(connection) else { return }
        let slot = connection.slot
        goOn(slot)
        var all = parts[0]
        for part in parts.dropFirst() { all.add(part) }
        var json = JSONWriter(reserving: 4_096)
        all.write(to: &json)
        charge(slot, RequestCost.ofJSON(bytes: json.bytes.count))
        reply(slot, stream: stream, AdminReply(json: json.bytes))
    }
}

/// Whether a peer, "address:port", is on this machine.
func isLoopback(_ peer: String) -> Bool {
    ["127.", "[::1]:", "::1:", "[::ffff:127.", "::ffff:127."].contains { peer.hasPrefix($0) }
}
