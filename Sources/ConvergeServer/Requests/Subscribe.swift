import ConvergeEngine
import ConvergeWire

extension Shard {
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
        let bootstraps = isResuming || message.flags.contains(.bootstrap)
        let catchUps = bootstraps ? try beginCatchUps(message.kind, `class`) : []
        if bootstraps { charge(slot, costOfCatchUp(message.kind)) }
        let buffer = message.buffer == 0 ? configuration.subscriberNotifications : Int(message.buffer)
        lastSubscription &+= 1
        var subscription = Subscription(
            kind: message.kind, notifications: min(buffer, ServerLimits.notificationsMax), class: `class`,
            serial: lastSubscription)
        subscription.starting = StartingSubscription(
            stream: stream, message: message, left: context.shards - 1,
            estimate: catchUps.reduce(0) { $0 + $1.estimate }, catchUps: catchUps)
        sessions[slot].subscriptions[message.kind] = subscription
        sessions[slot].notificationsMax += subscription.notifications
        counters.subscriptions += 1
        peaks.subscriptions = max(peaks.subscriptions, counters.subscriptions)
        if !bootstraps { startParts(slot, subscription, catchUps: []) }
        guard context.shards > 1 else { return finishSubscribe(slot, message.kind) }
        let reader = RemoteReader(
            shard: number, connection: sessions[slot].connection, kind: message.kind, class: `class`,
            serial: subscription.serial, notifications: subscription.notifications)
        sessions[slot].awaitsShards = true
        for shard in 0..<context.shards where shard != number {
            ask(shard) { there in there.beginPart(reader, bootstrap: bootstraps) }
        }
    }

    /// All shards have begun: SUBSCRIBED, the bootstrap's begin, and what has come meanwhile.
    mutating func finishSubscribe(_ slot: Int, _ kind: UInt16) {
        guard var subscription = sessions[slot].subscriptions[kind], let starting = subscription.starting else {
            return
        }
        goOn(slot)
        if let refusal = starting.refusal {
            endSubscription(slot, kind)
            return refuse(
                slot, refusal.code, stream: starting.stream, opcode: .subscribe, kind: kind, refusal.description)
        }
        let isResuming = !starting.message.token.isEmpty
        let bootstraps = !starting.catchUps.isEmpty
        subscription.starting = nil
        let bootstrap = Bootstrap(partitions: partitions.count)
        if bootstraps {
            subscription.bootstrap = bootstrap
            sessions[slot].bootstraps += 1
        }
        sessions[slot].subscriptions[kind] = subscription
        reply(
            slot, stream: starting.stream,
            Subscribed(
                kind: kind, klass: UInt16(subscription.class), flags: starting.message.flags,
                token: token(bootstraps ? bootstrap.sequences : sequences)))
        if bootstraps {
            reply(
                slot, stream: 0,
                BootstrapBegin(
                    kind: kind, klass: UInt16(subscription.class), flags: isResuming ? .reset : [],
                    estimate: starting.estimate))
        }
        for slice in starting.kept { send(slice, to: sessions[slot].connection) }
        starting.releaseKept()
        catchUps.lookedInVain = 0
        payCredits(slot)
        guard bootstraps else { return }
        startParts(slot, subscription, catchUps: starting.catchUps)
        notePartsBehind(slot, kind, by: partitions.count)
        let connection = sessions[slot].connection
        let here = number
        for partition in 0..<partitions.count where partitions.owner(of: partition) != number {
            ask(partitions.owner(of: partition)) { there in
                there.credit(
                    connection, kind: kind, partition: partition, bytes: ServerLimits.catchUpCredit, from: here)
            }
        }
    }

    /// One in every partition here, or none.
    mutating func beginCatchUps(_ kind: UInt16, _ class: Int) throws(WireError) -> [CatchUp] {
        guard admitsCatchUp(bytes: catchUpBytes(kind)) else {
            counters.catchUpsRefused += 1
            throw WireError(.limitReached, Shard.catchUpsAreFull)
        }
        var begun: [CatchUp] = []
        for partition in partitions.numbers {
            do throws(EngineStatus) {
                begun.append(
                    try partitions[partition].engine.beginCatchUp(kind: kind, LiveReaders.classes[`class`]))
            } catch {
                for (partition, catchUp) in zip(partitions.numbers, begun) { partitions[partition].engine.end(catchUp) }
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
