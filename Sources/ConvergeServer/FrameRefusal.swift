import ConvergeTransport
import ConvergeWire

extension Shard {
    /// What stands at `offset` is no frame: the connection ends, with an ERROR, or with an answer that a browser shows.
    mutating func refuseFrame(_ slot: Int, _ error: WireError, _ bytes: RawSpan, at offset: Int) {
        guard sessions[slot].state == .greeting, isHTTP(bytes, at: offset) else {
            refuse(slot, error.code, stream: 0, opcode: Opcode(rawValue: 0), fatal: true, error.description)
            return
        }
        counters.requestsRefused += 1
        answerInHTTP(slot, error.description)
        close(slot)
    }

    private mutating func answerInHTTP(_ slot: Int, _ sentence: String) {
        let body = sentence + "\n"
        let answer =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
            + "Connection: close\r\n\r\n" + body
        let connection = sessions[slot].connection
        guard let buffer = transport.reserve(connection, answer.utf8.count) else {
            unsendable.append(connection)
            return
        }
        buffer.copyBytes(from: answer.utf8)
        transport.commit(connection, answer.utf8.count)
    }
}
