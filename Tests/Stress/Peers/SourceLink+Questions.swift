import ConvergeTransport
import ConvergeWire

/// A QUERY under way, and what was known when it was put.
struct Question {
    let kind: Int
    let entity: Int
    /// Of the model; one of the two.
    let own: Int?
    let shared: Int?
    let afterMyWrites: Bool
    /// The highest version that anyone had been told.
    let known: UInt64
    /// Number of the last write to the entity by this writer.
    let last: UInt64
    /// That write has to show in the answer: it was synced, or sent on this connection and is waited for.
    let mustShow: Bool
}

extension SourceLink {
    private static let firstStream: UInt16 = 10

    /// Asks for an entity of its own, or a shared one.
    func ask() throws(StressFailure) {
        guard let slot = questions.firstIndex(where: { $0 == nil }) else { return }
        let kind = world.random.below(KindShape.all.count)
        let afterMyWrites = world.random.percent(60)
        let isOwn = source.isShared || world.random.percent(75)
        let local = world.random.below(isOwn ? Entities.own : Entities.shared)
        let entity = isOwn ? source.number * Entities.own + local : Entities.firstShared + local
        let model = source.model
        let index = kind * (isOwn ? Entities.own : Entities.shared) + local
        let last = isOwn ? model.own[index].last : model.shared[index].last
        let isCertain = isOwn ? model.own[index].isCertain : model.shared[index].isAssertedCertain
        let isWaitedFor = afterMyWrites && last > firstWrite
        questions[slot] = Question(
            kind: kind, entity: entity, own: isOwn ? index : nil, shared: isOwn ? nil : index,
            afterMyWrites: afterMyWrites, known: world.observed[kind].newest[entity], last: last,
            mustShow: isWaitedFor || last > 0 && last <= model.synced && isCertain)
        world.counts.queries += 1
        try send(
            Query(
                kind: world.kinds[kind], flags: afterMyWrites ? .afterMyWrites : [],
                id: Entities.id(entity, kind: kind)),
            stream: Self.firstStream + UInt16(slot))
    }

    func takeAnswer(_ stream: UInt16, _ result: QueryResult) throws(StressFailure) {
        let slot = Int(stream) - Int(Self.firstStream)
        guard questions.indices.contains(slot), let question = questions[slot] else {
            throw StressFailure("\(name) was answered on stream \(stream), where nothing is asked")
        }
        questions[slot] = nil
        let tags = try world.judge(result, question.kind, question.entity, known: question.known, by: name)
        guard question.mustShow, !isReplaced, source.link === self else { return }
        let wrong =
            question.own.map { wrongOwn(source.model.own[$0], question, result, tags) }
            ?? question.shared.flatMap { wrongShared(source.model.shared[$0], question, result) }
        if let wrong {
            throw StressFailure(
                "\(name) queried \(world.label(question.kind, question.entity))"
                    + "\(question.afterMyWrites ? " after its writes" : "") and was answered version \(result.version) "
                    + "(status \(result.status), \(tags.map { "\($0)" } ?? "no row")), \(wrong)")
        }
    }

    /// The entity is as after its last write before the question, or a later one.
    private func wrongOwn(
        _ own: WrittenModel.Own, _ question: Question, _ result: QueryResult, _ tags: Tags?
    ) -> String? {
        if let tags {
            guard result.sourceSet == 1 << UInt64(source.id) else {
                return "asserted by sources \(String(result.sourceSet, radix: 2)), but only this one writes it"
            }
            if own.last == question.last, own.isCertain {
                return own.isAlive && tags == own.tags ? nil : "but it wrote \(own.isAlive ? "\(own.tags)" : "RETRACT")"
            }
            let write = WrittenModel.write(of: tags)
            return write >= question.last ? nil : "which is its write \(write), but it had written \(question.last)"
        }
        if own.last == question.last, own.isCertain { return own.isAlive ? "but it wrote \(own.tags)" : nil }
        return own.lastRetract >= question.last ? nil : "but it had asserted it with write \(question.last)"
    }

    /// Of an entity that others write too this source's bit is its own.
    private func wrongShared(_ shared: WrittenModel.Shared, _ question: Question, _ result: QueryResult) -> String? {
        guard shared.last == question.last, shared.isAssertedCertain else { return nil }
        let isAsserted = result.sourceSet >> UInt64(source.id) & 1 == 1
        guard isAsserted != shared.isAsserted else { return nil }
        return "asserted by sources \(String(result.sourceSet, radix: 2)), but it had "
            + (shared.isAsserted ? "asserted it" : "retracted it")
    }
}
