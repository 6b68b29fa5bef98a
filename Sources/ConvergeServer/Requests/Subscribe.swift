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
        let buffer = message.buffer == 0 ? configuration.subscriberNotifications : Int(message.buffer)
        var subscription = Subscription(
            kind: message.kind, notifications: min(buffer, ServerLimits.notificationsMax), class: `class`)
        guard isResuming || message.flags.contains(.bootstrap) else {
            answer(slot, stream, message, `class`, token(partitions.sequences))
            return startSubscription(slot, subscription, catchUps: [])
        }
        let catchUps = try beginCatchUps(message.kind, `class`)
        charge(slot, costOfCatchUp(message.kind))
        let bootstrap = Bootstrap(partitions: partitions.count)
        answer(slot, stream, message, `class`, token(bootstrap.sequences))
        reply(
            slot, stream: 0,
            BootstrapBegin(
                kind: message.kind, klass: UInt16(`class`), flags: isResuming ? .reset : [],
                estimate: catchUps.reduce(0) { $0 + $1.estimate }))
        subscription.bootstrap = bootstrap
        startSubscription(slot, subscription, catchUps: catchUps)
    }

    private mutating func answer(
        _ slot: Int, _ stream: UInt16, _ message: Subscribe, _ class: Int, _ token: [UInt8]
    ) {
        reply(
            slot, stream: stream,
            Subscribed(kind: message.kind, klass: UInt16(`class`), flags: message.flags, token: token))
    }

    /// One in every partition, or none.
    private mutating func beginCatchUps(_ kind: UInt16, _ class: Int) throws(WireError) -> [CatchUp] {
        guard admitsCatchUp(bytes: catchUpBytes(kind)) else {
            counters.catchUpsRefused += 1
            throw WireError(.limitReached, Server.catchUpsAreFull)
        }
        var begun: [CatchUp] = []
        for partition in 0..<partitions.count {
            do throws(EngineStatus) {
                begun.append(
                    try partitions[partition].engine.beginCatchUp(kind: kind, LiveReaders.classes[`class`]))
            } catch {
                for (partition, catchUp) in begun.enumerated() { partitions[partition].engine.end(catchUp) }
                throw WireError(error.wireCode, "the bootstrap could not start: \(error)")
            }
        }
        return begun
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
