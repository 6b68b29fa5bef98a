import ConvergeEngine
import ConvergeWire

extension Server {
    /// SUBSCRIBE (R2, R3): SUBSCRIBED, then the bootstrap if asked for, then every flush that changes the kind.
    mutating func subscribe(_ slot: Int, _ stream: UInt16, _ message: Subscribe) throws(WireError) {
        guard let entry = registry[message.kind] else { throw unknownKind(message.kind) }
        try refuseUnsupported(message.flags)
        guard sessions[slot].subscriptions[message.kind] == nil else {
            throw WireError(
                .alreadySubscribed,
                "this connection already subscribes to '\(entry.definition.name)': unsubscribe first, or use another connection"
            )
        }
        guard counters.subscriptions < ServerLimits.subscriptionsMax else {
            counters.subscriptionsRefused += 1
            throw WireError(
                .limitReached,
                "this server keeps at most \(ServerLimits.subscriptionsMax) subscriptions, and has as many: end some")
        }
        // No history is kept yet: whoever comes back with a token starts over, as R4 allows.
        let isResuming = !message.token.isEmpty
        if isResuming { _ = try Token(bytes: message.token) }
        let `class` = LiveReaders.class(previous: message.flags.contains(.previous))
        var catchUp: CatchUp?
        if isResuming || message.flags.contains(.bootstrap) {
            catchUp = try beginCatchUp(message.kind, `class`)
            charge(slot, costOfCatchUp(message.kind))
        }
        let buffer = message.buffer == 0 ? configuration.subscriberNotifications : Int(message.buffer)
        reply(
            slot, stream: stream,
            Subscribed(
                kind: message.kind, klass: UInt16(`class`), flags: message.flags,
                token: token(sequence: catchUp == nil ? counters.sequence : 0)))
        if let catchUp {
            reply(
                slot, stream: 0,
                BootstrapBegin(
                    kind: message.kind, klass: UInt16(`class`), flags: isResuming ? .reset : [],
                    estimate: catchUp.estimate))
        }
        startSubscription(
            slot,
            Subscription(
                kind: message.kind, notifications: min(buffer, ServerLimits.notificationsMax), class: `class`),
            catchUp: catchUp)
    }

    private mutating func beginCatchUp(_ kind: UInt16, _ class: Int) throws(WireError) -> CatchUp {
        guard admitsCatchUp(kind) else {
            counters.catchUpsRefused += 1
            throw WireError(.limitReached, Server.catchUpsAreFull)
        }
        do { return try engine.beginCatchUp(kind: kind, LiveReaders.classes[`class`]) } catch {
            throw WireError(error.wireCode, "the bootstrap could not start: \(error)")
        }
    }

    private func refuseUnsupported(_ flags: SubscribeFlags) throws(WireError) {
        let unsupported: [(SubscribeFlags, String)] = [
            (.progress, "progress (4)"), (.conflate, "conflate (8)"), (.sourceChanges, "source_changes (16)"),
        ]
        for (flag, name) in unsupported where flags.contains(flag) {
            throw WireError(
                .unsupported, "SUBSCRIBE's flag \(name) is not supported by this server version yet: clear it")
        }
    }

    mutating func unsubscribe(_ slot: Int, _ stream: UInt16, _ message: Unsubscribe) throws(WireError) {
        guard let entry = registry[message.kind] else { throw unknownKind(message.kind) }
        guard sessions[slot].subscriptions[message.kind] != nil else {
            throw WireError(
                .notSubscribed,
                "this connection does not subscribe to '\(entry.definition.name)': there is nothing to end")
        }
        endSubscription(slot, message.kind)
        reply(slot, stream: stream, Unsubscribed(kind: message.kind))
    }
}
