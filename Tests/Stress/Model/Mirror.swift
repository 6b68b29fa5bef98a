import ConvergeWire

/// What a subscriber holds of a kind, kept by the rule for clients (R10), and judged at every notification.
final class Mirror {
    struct Row {
        /// 0: not held.
        var version: UInt64 = 0
        var sources: UInt64 = 0
        var tags = Tags.zero
        /// No older version than this may come: the highest that this subscriber was told, or anyone before it subscribed.
        var floor: UInt64 = 0
    }

    let kind: Int
    private let shape: KindShape
    private let observed: Observed
    let rows: UnsafeMutablePointer<Row>
    /// Everything alive is held: a bootstrap has come to its end.
    var isComplete = false
    /// Between BOOTSTRAP_BEGIN and END.
    var isBootstrapping = false
    /// Frames since BOOTSTRAP_BEGIN.
    var bootstrapFrames: UInt64 = 0
    var hasPrevious = false

    init(kind: Int, _ observed: Observed) {
        self.kind = kind
        self.observed = observed
        shape = KindShape.all[kind]
        rows = .allocate(capacity: Entities.count)
        rows.initialize(repeating: Row(), count: Entities.count)
    }

    deinit { rows.deallocate() }

    /// Forgets what is held. That nothing older may come is not forgotten.
    func forget() {
        for entity in 0..<Entities.count {
            rows[entity].version = 0
            rows[entity].tags = .zero
        }
        isComplete = false
    }

    /// A subscription begins: nothing older may come than what anyone knew when it was asked for.
    func raise(to known: [UInt64]) {
        for entity in 0..<Entities.count { rows[entity].floor = max(rows[entity].floor, known[entity]) }
    }

    // MARK: Notifications

    /// - Returns: what is wrong with it, nil: nothing.
    func take(_ state: State, _ payload: RawSpan) -> String? {
        guard let entity = Entities.number(state.id, kind: kind) else {
            return "STATE of an entity that is none of the run's"
        }
        guard let tags = shape.tags(payload.extracting(state.data), fixedBytes: Int(state.fixedBytes)) else {
            return "\(entity): the row of version \(state.version) is torn: its bodies are not those of its tags"
        }
        guard observed.take(entity, version: state.version, tags) else {
            return
                "\(entity): version \(state.version) has \(tags), but someone was told another row of the same version"
        }
        guard state.sourceSet != 0 else {
            return "\(entity): alive in version \(state.version), but no source asserts it"
        }
        let row = rows + entity
        let held = row.pointee
        if let wrong = judge(state, tags, held) ?? judgePrevious(state, payload, held) {
            return "\(entity): \(wrong)"
        }
        if isBootstrapping { bootstrapFrames += 1 }
        row.pointee = Row(version: state.version, sources: state.sourceSet, tags: tags, floor: state.version)
        return nil
    }

    @inline(__always)
    private func judge(_ state: State, _ tags: Tags, _ held: Row) -> String? {
        if state.type == .snapshot {
            guard state.version >= held.floor else { return wentBack(state.version, held) }
        } else {
            guard state.version > held.floor else { return wentBack(state.version, held) }
        }
        if state.type == .updated {
            guard held.version > 0 else {
                return isComplete ? "updated to version \(state.version), but the subscriber was never told of it" : nil
            }
            guard state.version == held.version + 1 else {
                return "updated to version \(state.version) while \(held.version) is held: one in between was not told"
            }
            let changed: UInt64 = (tags.a != held.tags.a ? 1 : 0) | (tags.b != held.tags.b ? 4 : 0)
            guard state.changed & 0b0101 == changed, state.changed & ~0b1111 == 0 else {
                return "version \(state.version) has changed fields \(state.changed), its row says \(changed)"
            }
            return nil
        }
        guard state.changed == 0b1111 else {
            return "\(state.type) in version \(state.version) has changed fields \(state.changed) instead of all four"
        }
        guard state.type != .created || held.version == 0 else {
            return "created in version \(state.version), but version \(held.version) is held"
        }
        return nil
    }

    /// The row before is the one that is held.
    @inline(__always)
    private func judgePrevious(_ state: State, _ payload: RawSpan, _ held: Row) -> String? {
        guard hasPrevious, state.type == .updated else {
            return state.previous == nil ? nil : "the row before came, but was not asked for"
        }
        guard let previous = state.previous else { return "version \(state.version) came without the row before" }
        guard let tags = shape.tags(payload.extracting(previous), fixedBytes: Int(state.fixedBytes)) else {
            return "the row before version \(state.version) is torn"
        }
        guard held.version == 0 || tags == held.tags else {
            return "version \(state.version) has \(tags) as the row before, but \(held.tags) is held"
        }
        return nil
    }

    /// - Returns: what is wrong with it, nil: nothing.
    func take(_ deleted: Deleted, _ payload: RawSpan) -> String? {
        guard let entity = Entities.number(deleted.id, kind: kind) else {
            return "DELETED of an entity that is none of the run's"
        }
        guard observed.take(entity, version: deleted.version, Observed.deleted) else {
            return "\(entity): deleted in version \(deleted.version), but someone was told a row of that version"
        }
        let row = rows + entity
        let held = row.pointee
        if let wrong = judge(deleted, payload, held) { return "\(entity): \(wrong)" }
        if isBootstrapping { bootstrapFrames += 1 }
        row.pointee = Row(version: 0, floor: deleted.version)
        return nil
    }

    private func judge(_ deleted: Deleted, _ payload: RawSpan, _ held: Row) -> String? {
        if deleted.reason == DeletedReason.catchUp.rawValue {
            return deleted.version >= held.floor ? nil : wentBack(deleted.version, held)
        }
        guard deleted.reason == DeletedReason.retract.rawValue else {
            return "deleted for reason \(deleted.reason), but sources of this run only retract"
        }
        guard deleted.version > held.floor else { return wentBack(deleted.version, held) }
        guard held.version > 0 else {
            return isComplete ? "deleted in version \(deleted.version), but the subscriber was never told of it" : nil
        }
        guard deleted.version == held.version + 1 else {
            return "deleted in version \(deleted.version) while \(held.version) is held: one in between was not told"
        }
        guard hasPrevious == (deleted.previous != nil) else {
            return "deleted in version \(deleted.version) \(hasPrevious ? "without" : "with") the row before"
        }
        guard let previous = deleted.previous else { return nil }
        return shape.tags(payload.extracting(previous), fixedBytes: Int(deleted.fixedBytes)) == held.tags
            ? nil : "deleted in version \(deleted.version), but the row before is not the one that is held"
    }

    private func wentBack(_ version: UInt64, _ held: Row) -> String {
        "version \(version) came, but \(held.floor) had been told before (held: \(held.version))"
    }
}
