import ConvergeEngine
import ConvergeTransport
import ConvergeWire

extension Server {
    /// Ends a subscription wherever its reader stands: nothing of the kind is queued to the connection any more.
    mutating func endSubscription(_ slot: Int, _ kind: UInt16) {
        guard let subscription = sessions[slot].subscriptions.removeValue(forKey: kind) else { return }
        sessions[slot].notificationsMax -= subscription.notifications
        endReading(slot, subscription)
    }

    /// Ends all of them, in the time that their number takes.
    mutating func endSubscriptions(_ slot: Int) {
        let subscriptions = sessions[slot].subscriptions
        sessions[slot].subscriptions = [:]
        sessions[slot].notificationsMax = 0
        for subscription in subscriptions.values { endReading(slot, subscription) }
    }

    private mutating func endReading(_ slot: Int, _ subscription: Subscription) {
        let connection = sessions[slot].connection
        counters.subscriptions -= 1
        readers.remove(connection, kind: subscription.kind, class: subscription.class)
        if let index = catchUps.index(connection, kind: subscription.kind) {
            endCatchUp(at: index)
        }
    }

    /// Starts a subscription: live from the next flush on, or by a bootstrap first.
    mutating func startSubscription(
        _ slot: Int, _ subscription: Subscription, catchUp: CatchUp?
    ) {
        let connection = sessions[slot].connection
        sessions[slot].subscriptions[subscription.kind] = subscription
        sessions[slot].notificationsMax += subscription.notifications
        counters.subscriptions += 1
        peaks.subscriptions = max(peaks.subscriptions, counters.subscriptions)
        if let catchUp {
            catchUps.append(
                CatchUpReader(
                    connection: connection, kind: subscription.kind, class: subscription.class,
                    notifications: subscription.notifications, catchUp: catchUp,
                    bytes: catchUpBytes(subscription.kind), isBootstrapping: true))
            peaks.catchUpBytes = max(peaks.catchUpBytes, catchUps.bytes)
        } else {
            readers.add(
                LiveReader(connection: connection, notifications: subscription.notifications),
                kind: subscription.kind, class: subscription.class)
        }
    }
}
