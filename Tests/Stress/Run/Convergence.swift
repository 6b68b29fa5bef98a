import ConvergeWire

/// Quiet: nobody writes, and everything that was written is flushed. Then all that can be asked has to say the same.
extension World {
    /// - Throws: who differs, in what.
    func converge() throws(StressFailure) {
        try quieten()
        let rows = try inspector.queryAll()
        try judgeModels(rows)
        try judgeMirrors(rows, sourcesOf: nil)
        try judgeBootstrap(rows)
        counts.convergences += 1
    }

    /// Most rows are written once more, so that whoever listens is told who asserts them now; then all is compared, the source
    /// sets of every mirror included.
    func closeRows() throws(StressFailure) {
        isQuiet = true
        var written = [Bool](repeating: false, count: KindShape.all.count * Entities.count)
        for source in sources {
            guard let link = source.link else { throw StressFailure("\(source.number) is not connected at the end") }
            writer.removeAll()
            for kind in KindShape.all.indices {
                for local in 0..<Entities.own where random.percent(75) {
                    link.writeOwn(kind, local, .assert)
                    written[kind * Entities.count + source.number * Entities.own + local] = true
                }
            }
            try link.queueWritten()
        }
        for kind in KindShape.all.indices {
            for entity in 0..<Entities.shared where random.percent(75) {
                writer.removeAll()
                guard let link = sources[random.below(Writers.alone)].link else { continue }
                link.writeShared(kind, entity, .assert)
                written[kind * Entities.count + Entities.firstShared + entity] = true
                try link.queueWritten()
            }
        }
        try quieten()
        let rows = try inspector.queryAll()
        try judgeModels(rows)
        try judgeMirrors(rows, sourcesOf: written)
        try judgeBootstrap(rows)
        counts.convergences += 1
    }

    /// Writers come back and sync, readers read; then a fence is flushed in every partition.
    private func quieten() throws(StressFailure) {
        isQuiet = true
        for subscriber in subscribers { subscriber.resume() }
        try wait(until: "every source is connected and answered") { [self] in
            sources.allSatisfy { $0.isSettled && $0.link?.isIdle == true }
        }
        try wait(until: "every writer that was replaced is gone") { [self] in !hasReplaced }
        try syncAll()
        // What earlier connections wrote may still wait for a flush in any partition.
        try sources[0].link?.writeFence()
        try syncAll()
        try wait(until: "every subscriber is answered") { [self] in subscribers.allSatisfy(\.isSettled) }
    }

    private func syncAll() throws(StressFailure) {
        for source in sources { try source.link?.sync() }
        try wait(until: "every source is synced") { [self] in sources.allSatisfy { $0.link?.isIdle == true } }
    }

    // MARK: The server against the model

    private func judgeModels(_ rows: [Inspector.Row]) throws(StressFailure) {
        for kind in KindShape.all.indices {
            for source in sources {
                for local in 0..<Entities.own {
                    let entity = source.number * Entities.own + local
                    try judge(
                        rows[kind * Entities.count + entity], source.model.own[kind * Entities.own + local], kind,
                        entity,
                        source)
                }
            }
            for shared in 0..<Entities.shared {
                try judgeShared(rows[kind * Entities.count + Entities.firstShared + shared], kind, shared)
            }
        }
    }

    private func judge(
        _ row: Inspector.Row, _ own: WrittenModel.Own, _ kind: Int, _ entity: Int, _ source: Source
    ) throws(StressFailure) {
        if row.tags != nil, row.sources != 1 << UInt64(source.id) {
            throw StressFailure(
                "\(label(kind, entity)) is asserted by sources \(String(row.sources, radix: 2)), but only source \(source.id) "
                    + "writes it")
        }
        guard own.isCertain else { return }
        guard row.tags == (own.isAlive ? own.tags : nil) else {
            throw StressFailure(
                "\(label(kind, entity)) is \(row.tags.map { "\($0)" } ?? "not alive"), but the last that source \(source.id) "
                    + "(writer \(source.number)) wrote is \(own.isAlive ? "\(own.tags)" : "RETRACT"), write \(own.last)"
            )
        }
    }

    private func judgeShared(_ row: Inspector.Row, _ kind: Int, _ shared: Int) throws(StressFailure) {
        let index = kind * Entities.shared + shared
        var asserted: UInt64 = 0
        var certain: UInt64 = 0
        for source in sources where !source.isShared {
            let state = source.model.shared[index]
            if state.isAsserted { asserted |= 1 << UInt64(source.id) }
            if state.isAssertedCertain { certain |= 1 << UInt64(source.id) }
        }
        let name = label(kind, Entities.firstShared + shared)
        guard (row.sources ^ asserted) & (certain | ~(1 << UInt64(Writers.alone) - 1)) == 0 else {
            throw StressFailure(
                "\(name) is asserted by sources \(String(row.sources, radix: 2)), but by what they wrote it is "
                    + "\(String(asserted, radix: 2)) (certain of \(String(certain, radix: 2)))")
        }
        guard let tags = row.tags else { return }
        for (tag, isA) in [(tags.a, true), (tags.b, false)] where tag != 0 {
            let writer = WrittenModel.writer(of: tag)
            guard sources.indices.contains(writer) else {
                throw StressFailure("\(name) has the tag \(tag), which is nobody's")
            }
            let state = sources[writer].model.shared[index]
            let (last, isCertain) = isA ? (state.lastA, state.isCertainA) : (state.lastB, state.isCertainB)
            guard !isCertain || last == WrittenModel.write(of: tag) else {
                throw StressFailure(
                    "\(name) shows write \(WrittenModel.write(of: tag)) of writer \(writer) in its group \(isA ? "a" : "b"), "
                        + "but its last one there is write \(last)")
            }
        }
    }

    // MARK: Mirrors against the server

    /// - Parameter written: rows whose source set has to be known too; nil: none.
    private func judgeMirrors(_ rows: [Inspector.Row], sourcesOf written: [Bool]?) throws(StressFailure) {
        for subscriber in subscribers where subscriber.isOpen && !subscriber.isLeaving { try subscriber.beat() }
        try wait(until: "every subscriber has what was queued for it") { [self] in
            subscribers.allSatisfy { !$0.isOpen || $0.isLeaving || $0.fences.isEmpty }
        }
        // Only who is behind may have to be waited for: of a catch-up the answer to HEARTBEAT says nothing.
        var last: String?
        let deadline = now + 20_000_000
        repeat {
            last = nil
            for subscriber in subscribers where subscriber.isOpen && !subscriber.isLeaving {
                guard let difference = subscriber.difference(rows, sourcesOf: written) else { continue }
                guard !difference.isStrict, now < deadline else { throw StressFailure(difference.sentence) }
                last = difference.sentence
            }
            if last != nil { try turn(microseconds: 5_000) }
        } while last != nil
    }

    /// Whoever comes now is told what there is.
    private func judgeBootstrap(_ rows: [Inspector.Row]) throws(StressFailure) {
        let fresh = Subscriber(subscribers.count, self, isSlow: false)
        try fresh.begin()
        for kind in KindShape.all.indices { try fresh.subscribe(kind, .bootstrap, buffer: 0) }
        try wait(until: "a fresh subscriber has its bootstrap") { fresh.slots.allSatisfy(\.mirror.isComplete) }
        let all = [Bool](repeating: true, count: rows.count)
        if let difference = fresh.difference(rows, sourcesOf: all) { throw StressFailure(difference.sentence) }
        fresh.drop()
    }
}

extension Subscriber {
    /// The first row that is not as the server says.
    func difference(_ rows: [Inspector.Row], sourcesOf written: [Bool]?) -> (sentence: String, isStrict: Bool)? {
        for kind in slots.indices where slots[kind].isActive {
            let mirror = slots[kind].mirror
            for entity in 0..<Entities.count {
                let index = kind * Entities.count + entity
                let row = rows[index]
                let held = mirror.rows[entity]
                let isHeld = held.version > 0
                // Who began without a bootstrap knows only of what has changed since.
                if !isHeld, !mirror.isComplete, written?[index] != true { continue }
                let isSame =
                    isHeld ? held.version == row.version && held.tags == row.tags : row.tags == nil
                let sources = isHeld && written?[index] == true ? held.sources == row.sources : true
                if isSame, sources { continue }
                let sentence =
                    "\(name) holds of \(world.label(kind, entity)) "
                    + (isHeld ? "version \(held.version) with \(held.tags)" : "nothing")
                    + ", sources \(String(held.sources, radix: 2)), but a QUERY says version \(row.version) with "
                    + "\(row.tags.map { "\($0)" } ?? "no row"), sources \(String(row.sources, radix: 2))"
                return (sentence, slots[kind].isStrict)
            }
        }
        return nil
    }
}
