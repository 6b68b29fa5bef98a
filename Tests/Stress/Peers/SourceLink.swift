import ConvergeTransport
import ConvergeWire

/// One connection of a writer. Its frames go out as it queues them, its answers are held against what was sent.
final class SourceLink: Peer {
    /// A SYNC under way: what SYNCED must say.
    struct PendingSync {
        let applied: UInt64
        let refused: UInt64
        /// Of the model, when it was asked.
        let writes: UInt64
    }

    static let syncStream: UInt16 = 1
    static let unsentMax = 256 << 10

    let source: Source
    /// The model's count when it was opened.
    var firstWrite: UInt64 = 0
    /// Of this connection: good ones, ones that must be refused, and refusals that were reported.
    var sent: UInt64 = 0
    var sentBad: UInt64 = 0
    var reported: UInt64 = 0
    var pendingSync: PendingSync?
    var questions = [Question?](repeating: nil, count: 8)
    /// GOODBYE is sent.
    var isLeaving = false
    /// Another connection has taken the source over.
    var isReplaced = false

    init(_ source: Source) {
        self.source = source
        super.init(source.world)
    }

    override var name: String { "source \(source.id) (writer \(source.number))" }

    var isIdle: Bool { pendingSync == nil && questions.allSatisfy { $0 == nil } }

    func sync() throws(StressFailure) {
        guard pendingSync == nil else { return }
        pendingSync = PendingSync(applied: sent, refused: sentBad, writes: source.model.writes)
        try send(Sync(), stream: Self.syncStream)
        world.counts.syncs += 1
    }

    func leave() throws(StressFailure) {
        isLeaving = true
        try send(Goodbye(mode: 0))
        world.counts.sourceGoodbyes += 1
    }

    // MARK: What comes

    override func take(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        switch header.opcode {
        case .connected:
            let connected = try decode(Connected.self, payload)
            guard connected.source == source.id else {
                throw StressFailure("\(name) was told that it is source \(connected.source)")
            }
            isOpen = true
            source.opened(self)
        case .synced: try takeSynced(try decode(Synced.self, payload))
        case .queryResult: try takeAnswer(header.stream, try decode(QueryResult.self, payload))
        case .error: try takeError(header, payload)
        case .serverGoodbye:
            let goodbye = try decode(ServerGoodbye.self, payload)
            let isStopping = world.isStopping && goodbye.reason == GoodbyeReason.shutdown.rawValue
            // It may hear of its successor before the successor hears that it is one.
            let isReplacing = isReplaced || source.next != nil
            guard isStopping || isReplacing && goodbye.reason == GoodbyeReason.replaced.rawValue else {
                throw StressFailure("\(name) was told goodbye for reason \(goodbye.reason): \(goodbye.message)")
            }
            if isStopping { world.counts.shutdownGoodbyes += 1 } else { isReplaced = true }
        default: throw try unexpected(header, payload)
        }
    }

    private func takeSynced(_ synced: Synced) throws(StressFailure) {
        guard let pending = pendingSync else { throw StressFailure("\(name) was sent a SYNCED it did not ask for") }
        pendingSync = nil
        guard synced.applied == pending.applied, synced.refused == pending.refused else {
            throw StressFailure(
                "\(name) sent \(pending.applied) good and \(pending.refused) bad writes before its SYNC, but SYNCED says "
                    + "\(synced.applied) applied and \(synced.refused) refused")
        }
        // Of one that was replaced meanwhile the model has already settled more.
        source.model.synced = max(source.model.synced, pending.writes)
        source.model.settled = max(source.model.settled, pending.writes)
        guard !isReplaced else { return }
        try world.plantFences(source)
    }

    private func takeError(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        let error = try decode(ErrorMessage.self, payload)
        if !isOpen, error.code == WireErrorCode.sourceClaimed.rawValue {
            // The server has not yet noticed that the connection before is gone.
            world.counts.claimsRefused += 1
            drop()
            return source.refused(self)
        }
        guard error.write > 0 else { throw try unexpected(header, payload) }
        reported += 1 + UInt64(error.repeated)
        guard error.code == WireErrorCode.wrongLength.rawValue, reported <= sentBad else {
            throw StressFailure("\(name) had write \(error.write) refused, which was good: \(error.message)")
        }
    }

    override func ended(_ error: Int32) throws(StressFailure) {
        if isReplaced { return }
        if world.isStopping {
            source.link = nil
            return
        }
        if !isOpen, source.next === self { return source.refused(self) }
        guard isLeaving, error == 0 else {
            throw lost(error)
        }
        guard isIdle else {
            throw StressFailure(
                "\(name) said goodbye and was closed before the SYNC or QUERY in front of it was answered")
        }
        source.left(self)
    }
}
