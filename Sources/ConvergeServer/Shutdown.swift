import ConvergeTransport

extension Server {
    /// Takes leave: no more accepts, a last flush, a GOODBYE to everyone, and time for it to leave.
    mutating func shutDown() throws(ServerError) {
        transport.stopListening()
        if window.isOpen { flush() }
        for slot in sessions.slots where sessions[slot].isAlive {
            dismiss(slot, .shutdown, "the server is shutting down: connect again later")
        }
        let deadline = now + ServerLimits.shutdownMicroseconds
        while sessions.count > 0, now < deadline {
            let events = try poll(timeoutMicroseconds: deadline - now)
            for index in 0..<events {
                let event = transport.event(index)
                switch event.kind {
                case .received: transport.consume(index, used: event.bytes.count, need: 0)
                case .accepted: transport.close(event.connection, lingerMicroseconds: 0)
                case .ended: transport.closeEnded(event)
                case .closed: connectionClosed(event.connection)
                case .connected, .drained, .woken: break
                }
            }
        }
    }
}
