import ConvergeTransport
import ConvergeWire

extension Server {
    /// Takes leave: no more accepts, a last flush, a GOODBYE to everyone, and time for it to leave.
    ///
    /// A peer that does nothing keeps nobody waiting: what the kernel has taken leaves without us, and what the peer had
    /// under way has come and been discarded a moment later. Unread, it would reset the connection, and with it our
    /// last words.
    mutating func shutDown() throws(ServerError) {
        transport.stopListening()
        flushOpenWindows()
        let deadline = Transport.now() + ServerLimits.shutdownMicroseconds
        for slot in sessions.slots where sessions[slot].isAlive {
            reply(
                slot, stream: 0,
                ServerGoodbye(reason: .shutdown, message: "the server is shutting down: connect again later"))
            close(slot, lingerMicroseconds: ServerLimits.shutdownMicroseconds)
        }
        while sessions.count > 0, now < deadline {
            let events = try poll(timeoutMicroseconds: min(deadline - now, ServerLimits.shutdownTickMicroseconds))
            for index in 0..<events {
                let event = transport.event(index)
                switch event.kind {
                case .received: transport.consume(index, used: event.bytes.count, need: 0)
                case .accepted: transport.close(event.connection, lingerMicroseconds: 0)
                case .closed: connectionClosed(event.connection)
                case .connected, .drained, .ended, .woken: break
                }
            }
            closeWhoHasEverything()
        }
    }

    private mutating func closeWhoHasEverything() {
        for slot in sessions.slots where sessions[slot].state == .closing && !sessions[slot].hasEverything {
            guard transport.unsent(sessions[slot].connection).bytes == 0 else { continue }
            sessions[slot].hasEverything = true
            transport.close(sessions[slot].connection, lingerMicroseconds: ServerLimits.shutdownQuietMicroseconds)
        }
    }
}
