import ConvergeTransport
import ConvergeWire

extension Subscriber {
    func tick() throws(StressFailure) {
        if isConnected {
            if readsAt > 0, world.now >= readsAt { resume() }
        } else if world.now >= returnsAt, !world.isQuiet {
            try begin()
            for kind in 0..<KindShape.bulk where world.random.percent(40) { try subscribeSomehow(kind) }
            // Who has nothing to read is of no use.
            if !slots.indices.contains(where: willBeActive) { try subscribeSomehow(number % KindShape.bulk) }
            if isSlow { try subscribeSomehow(KindShape.bulk) }
        }
    }

    func resume() {
        guard readsAt > 0 else { return }
        world.transport.setReading(connection, true)
        readsAt = 0
    }

    func scheduleReturn() { returnsAt = world.now + Int64(world.random.below(250_000)) }

    /// One step of its restless life.
    func churn() throws(StressFailure) {
        guard isOpen, !isLeaving else { return }
        if isSlow, readsAt > 0 || world.random.percent(60) { return pause() }
        let kind = world.random.below(isSlow ? slots.count : KindShape.bulk)
        switch world.random.below(100) {
        case ..<12:
            world.counts.subscriberDrops += 1
            drop()
            scheduleReturn()
        case ..<20:
            isLeaving = true
            world.counts.subscriberGoodbyes += 1
            try send(Goodbye(mode: 0))
        case ..<30: pause()
        case ..<70: willBeActive(kind) ? try unsubscribe(kind) : try subscribeSomehow(kind)
        default:
            // Both at once: the last of the old subscription and the first of the new one follow each other.
            guard willBeActive(kind) else { return }
            try unsubscribe(kind)
            try subscribeSomehow(kind)
        }
    }

    private func pause() {
        guard readsAt == 0 else { return }
        world.transport.setReading(connection, false)
        readsAt = world.now + Int64(world.random.within(isSlow ? 300_000...3_000_000 : 5_000...200_000))
        lastPauseEnds = readsAt
        world.counts.pauses += 1
    }

    private func subscribeSomehow(_ kind: Int) throws(StressFailure) {
        var flags: SubscribeFlags = world.random.percent(30) ? .previous : []
        var token: [UInt8] = []
        switch world.random.below(100) {
        case ..<50: flags.insert(.bootstrap)
        case ..<75: token = slots[kind].token
        default: break
        }
        // A small buffer is soon left behind by a flush, or by a pause.
        var buffer: UInt32 = world.random.percent(50) ? 0 : 1 << UInt32(world.random.below(8))
        // More than a flush has: those it is too small for get a catch-up, and nobody is sent away for that.
        if kind == KindShape.bulk { buffer = 64 }
        try subscribe(kind, flags, buffer: buffer, token: token)
        guard flags.contains(.bootstrap) || !token.isEmpty, slots[kind].requests.count == 1 else { return }
        slots[kind].fences = world.fencesForBootstrap(kind)
    }

    // MARK: Fences

    /// The writer's SYNCED came before this was asked: no older state may come behind.
    func plant(_ fence: Fence) throws(StressFailure) {
        guard isOpen, !isLeaving, fences.count < Self.fencesMax else { return }
        guard slots[fence.kind].isActive, slots[fence.kind].isStrict, slots[fence.kind].requests.isEmpty else { return }
        world.counts.fences += 1
        try beat(fence)
    }

    /// What was written and synced is held, unless it is not known here at all.
    func hold(_ fence: Fence) throws(StressFailure) {
        let slot = slots[fence.kind]
        guard slot.isActive else { return }
        let row = slot.mirror.rows[fence.entity]
        if row.version > 0 {
            let write = WrittenModel.write(of: row.tags)
            guard write < fence.write else { return }
            throw StressFailure(
                "\(name) holds version \(row.version) of \(world.label(fence.kind, fence.entity)), write \(write) of its "
                    + "source, but write \(fence.write) had been synced before")
        }
        guard slot.mirror.isComplete, fence.isAlive else { return }
        let later = world.sources[fence.entity / Entities.own].model.own[
            fence.kind * Entities.own + fence.entity % Entities.own]
        guard later.lastRetract < fence.write else { return }
        throw StressFailure(
            "\(name) has its bootstrap, but lacks \(world.label(fence.kind, fence.entity)), of which write \(fence.write) had "
                + "been synced before it subscribed")
    }
}
