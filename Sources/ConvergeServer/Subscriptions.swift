import ConvergeEngine
import ConvergeTransport
import ConvergeWire

extension Shard {
    /// Ends a subscription wherever its reader stands: nothing of the kind is queued to the connection any more.
    mutating func endSubscription(_ slot: Int, _ kind: UInt16) {
        guard let subscription = sessions[slot].subscriptions.removeValue(forKey: kind) else { return }
        sessions[slot].notificationsMax -= subscription.notifications
        if subscription.bootstrap != nil { sessions[slot].bootstraps -= 1 }
        end(slot, [subscription])
    }

    /// Ends all of them, in the time that their number takes.
    mutating func endSubscriptions(_ slot: Int) {
        let subscriptions = sessions[slot].subscriptions
        guard !subscriptions.isEmpty else { return }
        sessions[slot].subscriptions = [:]
        sessions[slot].notificationsMax = 0
        sessions[slot].bootstraps = 0
        end(slot, Array(subscriptions.values))
    }

    private mutating func end(_ slot: Int, _ subscriptions: [Subscription]) {
        let connection = sessions[slot].connection
        counters.subscriptions -= subscriptions.count
        counters.subscriptionsBehind -= subscriptions.count { $0.partsBehind > 0 }
        for subscription in subscriptions {
            if let starting = subscription.starting {
                starting.releaseKept()
                for (partition, catchUp) in zip(partitions.numbers, starting.catchUps) {
                    partitions[partition].engine.end(catchUp)
                }
            }
            for partition in 0..<partitions.count {
                if partitions.owner(of: partition) == number {
                    endPart(
                        connection,
                        ReaderGroup(
                            partition: partition, kind: subscription.kind, class: subscription.class, shard: number))
                } else {
                    deliveries[partition].remove(connection, kind: subscription.kind, class: subscription.class)
                }
            }
        }
        let ended = subscriptions.map { (kind: $0.kind, class: $0.class) }
        let here = number
        for shard in 0..<context.shards where shard != number {
            ask(shard) { there in there.endParts(of: connection, ended, from: here) }
        }
    }

    /// In one partition, wherever the reader stands.
    mutating func endPart(_ connection: Connection, _ group: ReaderGroup) {
        stopFeeding(connection, group)
        if let index = catchUps.index(connection, kind: group.kind, partition: group.partition, shard: group.shard) {
            endCatchUp(at: index)
        }
    }

    /// Starts the parts of a subscription that are here: live from the next flushes on, or by a bootstrap first.
    mutating func startParts(_ slot: Int, _ subscription: Subscription, catchUps: [CatchUp]) {
        let reader = LiveReader(
            connection: sessions[slot].connection, notifications: subscription.notifications,
            serial: subscription.serial)
        for (place, partition) in partitions.numbers.enumerated() {
            let group = ReaderGroup(
                partition: partition, kind: subscription.kind, class: subscription.class, shard: number)
            if catchUps.isEmpty {
                feed(reader, group)
            } else {
                startCatchUp(reader, group, catchUps[place], isBootstrapping: true)
            }
        }
    }
}
