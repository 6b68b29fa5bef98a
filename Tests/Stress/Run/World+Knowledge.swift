import ConvergeWire

extension World {
    /// Judges an answer to a QUERY by what anyone knows.
    /// - Parameter known: the highest version that anyone had been told when it was asked.
    /// - Returns: the tags of its row; nil: it is not alive.
    func judge(
        _ result: QueryResult, _ kind: Int, _ entity: Int, known: UInt64, by name: String
    ) throws(StressFailure) -> Tags? {
        guard result.version >= known else {
            throw StressFailure(
                "\(name) queried \(label(kind, entity)) and was answered version \(result.version), but \(known) was known "
                    + "when it asked")
        }
        switch QueryResult.Status(rawValue: result.status) {
        case .notFound:
            guard result.version == 0 else {
                throw StressFailure("\(name) queried \(label(kind, entity)): not found, with version \(result.version)")
            }
            return nil
        case .alive:
            guard
                let tags = KindShape.all[kind].tags(result.data.span.bytes, fixedBytes: Int(result.fixedBytes))
            else { throw StressFailure("\(name) queried \(label(kind, entity)): its row is torn") }
            guard observed[kind].take(entity, version: result.version, tags) else {
                throw StressFailure(
                    "\(name) queried \(label(kind, entity)): version \(result.version) is \(tags), but someone was told "
                        + "something else of this version")
            }
            return tags
        case .tombstone:
            guard observed[kind].take(entity, version: result.version, Observed.deleted) else {
                throw StressFailure(
                    "\(name) queried \(label(kind, entity)): a tombstone of version \(result.version), but someone was told a "
                        + "row of this version")
            }
            return nil
        case nil: throw StressFailure("\(name) was answered the unknown status \(result.status)")
        }
    }

    /// Behind a SYNCED: some of what the writer knows to be synced is held by any who listen, or will be.
    func plantFences(_ source: Source) throws(StressFailure) {
        for _ in 0..<4 {
            guard let fence = fence(source, random.below(KindShape.all.count)) else { continue }
            for _ in 0..<3 { try subscribers[random.below(subscribers.count)].plant(fence) }
        }
    }

    /// What a bootstrap that is asked for now has to contain.
    func fencesForBootstrap(_ kind: Int) -> [Subscriber.Fence] {
        (0..<4).compactMap { _ in fence(sources[random.below(sources.count)], kind) }
    }

    /// An entity of the source that is certain and synced, if chance finds one.
    private func fence(_ source: Source, _ kind: Int) -> Subscriber.Fence? {
        let local = random.below(Entities.own)
        let own = source.model.own[kind * Entities.own + local]
        guard own.isCertain, own.last > 0, own.last <= source.model.synced else { return nil }
        return Subscriber.Fence(
            kind: kind, entity: source.number * Entities.own + local, write: own.last, isAlive: own.isAlive)
    }
}
