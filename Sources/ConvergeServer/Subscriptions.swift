import ConvergeEngine
import ConvergeTransport
import ConvergeWire

extension Server {
    /// Ends a subscription wherever its reader stands: nothing of the kind is queued to the connection any more.
    mutating func endSubscription(_ slot: Int, _ kind: UInt16) {
        guard let index = sessions[slot].subscriptions.firstIndex(where: { $0.kind == kind }) else { return }
        let subscription = sessions[slot].subscriptions.remove(at: index)
        let connection = sessions[slot].connection
        sessions[slot].notificationsMax -= subscription.notifications
        counters.subscriptions -= 1
        readers.remove(connection, kind: kind, class: subscription.class)
        if let index = catchUps.index(connection, kind: kind) {
            engine.end(catchUps.remove(at: index).catchUp)
        }
    }

    /// Starts a subscription: live from the next flush on, or by a bootstrap first.
    mutating func startSubscription(
        _ slot: Int, _ subscription: Subscription, catchUp: CatchUp?
    ) {
        let connection = sessions[slot].connection
        sessions[slot].subscriptions.append(subscription)
        sessions[slot].notificationsMax += subscription.notifications
        counters.subscriptions += 1
        if let catchUp {
            catchUps.readers.append(
                CatchUpReader(
                    connection: connection, kind: subscription.kind, class: subscription.class,
                    notifications: subscription.notifications, catchUp: catchUp, isBootstrapping: true))
        } else {
            readers.add(
                LiveReader(connection: connection, notifications: subscription.notifications),
                kind: subscription.kind, class: subscription.class)
        }
    }
}
