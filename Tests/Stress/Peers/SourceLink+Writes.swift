import ConvergeSchema
import ConvergeTransport
import ConvergeWire

extension SourceLink {
    private static let batchMax = 40

    /// A few writes, one behind the other or in a BATCH.
    /// - Returns: how many.
    func writeSome(_ wanted: Int) throws(StressFailure) -> Int {
        let isBatch = world.random.percent(25)
        let count = min(wanted, world.random.within(1...(isBatch ? Self.batchMax : 12)))
        world.writer.removeAll()
        if isBatch { world.writer.beginBatch() }
        for _ in 0..<count { writeOne() }
        if isBatch { world.writer.endBatch() }
        try queueWritten()
        world.counts.batches += isBatch ? 1 : 0
        return count
    }

    func queueWritten() throws(StressFailure) {
        let bytes = world.writer.bytes
        guard let room = world.transport.reserve(connection, bytes.count) else {
            throw StressFailure("\(name) could not queue \(bytes.count) bytes: out of memory, or it has ended")
        }
        room.copyBytes(from: bytes)
        world.transport.commit(connection, bytes.count)
    }

    private func writeOne() {
        let kind = world.random.percent(8) ? KindShape.bulk : world.random.below(KindShape.bulk)
        if world.random.percent(1) { return writeBad(kind) }
        let change: WrittenModel.Change
        switch world.random.below(100) {
        case ..<55: change = .assert
        case ..<65: change = .patch(.a)
        case ..<75: change = .patch(.b)
        case ..<82: change = .patch(.both)
        default: change = .retract
        }
        if !source.isShared, world.random.percent(30) {
            // Few of them are written most.
            let entity = min(world.random.below(Entities.shared), world.random.below(Entities.shared))
            writeShared(kind, entity, change)
        } else {
            writeOwn(kind, world.random.below(Entities.own), change)
        }
    }

    func writeOwn(_ kind: Int, _ local: Int, _ change: WrittenModel.Change) {
        let number = encode(kind, source.number * Entities.own + local, change)
        guard world.fault?.takes(.forget) != true else { return }
        source.model.own(kind * Entities.own + local, change, number)
    }

    func writeShared(_ kind: Int, _ entity: Int, _ change: WrittenModel.Change) {
        let number = encode(kind, Entities.firstShared + entity, change)
        source.model.shared(kind * Entities.shared + entity, change, number)
    }

    private func encode(_ kind: Int, _ entity: Int, _ change: WrittenModel.Change) -> UInt64 {
        source.model.writes += 1
        sent += 1
        world.counts.writes += 1
        let number = source.model.writes
        let tag = source.model.tag(number)
        let tags = Tags(a: tag, b: tag)
        let id = Entities.id(entity, kind: kind)
        switch change {
        case .assert:
            KindShape.all[kind].encode(tags, .both, into: &world.row)
            world.writer.assert(kind: world.kinds[kind], schema: 1, id: id, data: world.row)
        case .patch(let groups):
            KindShape.all[kind].encode(tags, groups, into: &world.row)
            world.writer.patch(
                kind: world.kinds[kind], schema: 1, id: id, mask: groups.rawValue, data: world.row)
        case .retract: world.writer.retract(kind: world.kinds[kind], id: id)
        }
        return number
    }

    /// Well-formed, but a byte too long: it must be refused, and change nothing.
    private func writeBad(_ kind: Int) {
        let tag = source.model.tag(1 << 39)
        KindShape.all[kind].encode(Tags(a: tag, b: tag), .both, into: &world.row)
        world.row.append(0)
        world.writer.assert(
            kind: world.kinds[kind], schema: 1, id: Entities.id(source.number * Entities.own, kind: kind),
            data: world.row)
        sentBad += 1
        world.counts.badWrites += 1
    }

    /// So many entities of the fence's kind that every partition gets some: when they are flushed, everything is that was
    /// applied before.
    func writeFence() throws(StressFailure) {
        world.writer.removeAll()
        world.writer.beginBatch()
        for entity in 0..<1_024 {
            source.model.writes += 1
            sent += 1
            KindShape.fence.encode(Tags(a: source.model.writes, b: 0), .both, into: &world.row)
            world.writer.assert(
                kind: world.fenceKind, schema: 1, id: Entities.id(entity, kind: 99), data: world.row)
        }
        world.writer.endBatch()
        try queueWritten()
    }
}
