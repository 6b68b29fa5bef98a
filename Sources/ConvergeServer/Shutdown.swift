import ConvergeTransport
import ConvergeWire

extension Shard {
    /// Takes leave: no more accepts, a last flush, a GOODBYE to everyone, and time for it to leave.
    ///
    /// A peer that does nothing keeps nobody waiting: what the kernel has taken leaves without us, and what the peer had
    /// under way has come and been discarded a moment later. Unread, it would reset the connection, and with it our
    /// last words.
    mutating func shutDown() throws(ServerError) {
        transport.stopListening()
        let deadline = Transport.now() + ServerLimits.shutdownMicroseconds
        // What has been forwarded is applied before any window is closed, and what that changes is handed over before anyone
        // takes leave.
        meetOthers(.forwarded, until: deadline)
        flushOpenWindows()
        meetOthers(.flushed, until: deadline)
        defer { mail.drop() }
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

    /// Waits until every shard is as far as this one, and goes on with what they send meanwhile.
    private mutating func meetOthers(_ round: ShardContext.Round, until deadline: Int64) {
        mail.publish()
        context.arrive(round)
        while !context.haveAllArrived(round), Transport.now() < deadline {
            if !takeMail() { pause(microseconds: 100) }
            mail.publish()
        }
        takeMail()
        mail.publish()
    }

    private mutating func closeWhoHasEverything() {
        for slot in sessions.slots where sessions[slot].state == .closing && !sessions[slot].hasEverything {
            guard transport.unsent(sessions[slot].connection).bytes == 0 else { continue }
            sessions[slot].hasEverything = true
            transport.close(sessions[slot].connection, lingerMicroseconds: ServerLimits.shutdownQuietMicroseconds)
        }
    }
}
