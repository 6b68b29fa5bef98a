import ConvergeTransport
import ConvergeWire

/// A writer: its model, and the connections it has one after the other, in a takeover two at a time.
final class Source {
    let number: Int
    let id: UInt8
    let isShared: Bool
    /// It outlives everybody.
    unowned(unsafe) let world: World
    var session: UInt128
    var model: WrittenModel
    /// The connection that writes.
    var link: SourceLink?
    /// One that wants to replace it, or to be the next.
    var next: SourceLink?
    /// When to connect again, in the transport's time.
    var returnsAt: Int64 = 0

    init(_ number: Int, _ world: World) {
        self.number = number
        self.world = world
        id = Writers.source(number)
        isShared = number >= Writers.alone
        session = UInt128(number + 1) << 64 | UInt128(world.random.next())
        model = WrittenModel(writer: number)
    }

    /// Connected, and nothing of an earlier connection is under way.
    var isSettled: Bool { link != nil && next == nil && link?.isLeaving == false }

    func tick() throws(StressFailure) {
        guard link == nil, next == nil, world.now >= returnsAt else { return }
        try connectAgain(takeover: false)
    }

    private func connectAgain(takeover: Bool) throws(StressFailure) {
        var flags: ConnectFlags = .hasSource
        if isShared { flags.insert(.shared) }
        if takeover, !isShared {
            // Either is enough: the flag, or the same session.
            if world.random.percent(50) {
                flags.insert(.takeover)
                session &+= 1
            }
            world.counts.takeovers += 1
        }
        let link = SourceLink(self)
        try link.connect(.stress(flags, source: id, session: session, name: "source \(number)"))
        next = link
    }

    // MARK: Churn

    /// Its connection ends, or another one replaces it.
    func churn() throws(StressFailure) {
        guard let link, next == nil, !link.isLeaving else { return }
        switch world.random.below(3) {
        case 0:
            try link.leave()
        case 1:
            world.counts.sourceDrops += 1
            link.drop()
            lost(link)
            // Another program as the same source: it has to wait until the server knows that the first is gone.
            if world.random.percent(30) {
                session &+= 1
                returnsAt = world.now
            }
        default: try connectAgain(takeover: true)
        }
    }

    /// What was sent and not yet answered may be lost.
    func lost(_ link: SourceLink) {
        model.lose()
        if self.link === link { self.link = nil }
        scheduleReturn()
    }

    /// The connection ended behind a GOODBYE: everything that was sent before is applied.
    func left(_ link: SourceLink) {
        model.settled = model.writes
        if self.link === link { self.link = nil }
        scheduleReturn()
    }

    /// The one that connects was not let in, or the server let it go.
    func refused(_ link: SourceLink) {
        next = nil
        scheduleReturn()
    }

    private func scheduleReturn() {
        returnsAt = world.now + (world.isQuiet ? 2_000 : Int64(world.random.below(150_000)))
    }

    /// CONNECTED has come: whoever was there before writes no more.
    func opened(_ link: SourceLink) {
        if let before = self.link {
            model.lose()
            before.isReplaced = true
        }
        self.link = link
        next = nil
        link.firstWrite = model.writes
        world.counts.sourceConnections += 1
    }
}
