import ConvergeEngine
import ConvergeTransport
import ConvergeWire

extension Server {
    /// Ends a subscription wherever its reader stands: nothing of the kind is queued to the connection any more.
    mutating func endSubscription(_ slot: Int, _ kind: UInt16) {
        guard let subscription = sessions[slot].subscriptions.removeValue(forKey: kind) else { return }
        sessions[slot].notificationsMax -= subscription.notifications
        if subscription.bootstrap != nil { sessions[slot].bootstraps -= 1 }
        endReading(slot, subscription)
    }

    /// Ends all of them, in the time that their number takes.
    mutating func endSubscriptions(_ slot: Int) {
        let subscriptions = sessions[slot].subscriptions
        sessions[slot].subscriptions = [:]
        sessions[slot].notificationsMax = 0
        sessions[slot].bootstraps = 0
        for subscription in subscriptions.values { endReading(slot, subscription) }
    }

    private mutating func endReading(_ slot: Int, _ subscription: Subscription) {
        let connection = sessions[slot].connection
        counters.subscriptions -= 1
        for partition in 0..<partitions.count {
            stopFeeding(
                connection, ReaderGroup(partition: partition, kind: subscription.kind, class: subscription.class))
            if let index = catchUps.index(connection, kind: subscription.kind, partition: partition) {
                endCatchUp(at: index)
            }
        }
    }

    /// Starts a subscription: live from the next flushes on, or by a bootstrap first, one catch-up a partition.
    mutating func startSubscription(_ slot: Int, _ subscription: Subscription, catchUps: [CatchUp]) {
        sessions[slot].subscriptions[subscription.kind] = subscription
        sessions[slot].notificationsMax += subscription.notifications
        if subscription.bootstrap != nil { sessions[slot].bootstraps += 1 }
        counters.subscriptions += 1
        peaks.subscriptions = max(peaks.subscriptions, counters.subscriptions)
        let reader = LiveReader(
            connection: sessions[slot].connection, notifications: subscription.notifications)
        for partition in 0..<partitions.count {
            let group = ReaderGroup(partition: partition, kind: subscription.kind, class: subscription.class)
            if catchUps.isEmpty {
                feed(reader, group)
            } else {
                startCatchUp(reader, group, catchUps[partition], isBootstrapping: true)
            }
        }
    }
}
