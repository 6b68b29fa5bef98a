import ConvergeWire

/// Which entities of a kind there are, the same in every kind: a stretch that belongs to each writer alone, and behind them
/// those that all of them share.
enum Entities {
    /// Of a kind and writer.
    static let own = 8
    /// Of a kind.
    static let shared = 64
    static let count = Writers.count * own + shared
    static let firstShared = Writers.count * own

    static func id(_ entity: Int, kind: Int) -> EntityID {
        let bits = Random.mixed(UInt64(entity) << 8 | UInt64(kind))
        return EntityID(words: (UInt64(entity), bits, ~bits, bits &* 3))
    }

    /// The entity with this id; nil: none has it.
    @inline(__always)
    static func number(_ id: EntityID, kind: Int) -> Int? {
        guard id.words.0 < UInt64(count) else { return nil }
        let bits = Random.mixed(id.words.0 << 8 | UInt64(kind))
        guard id.words.1 == bits, id.words.2 == ~bits, id.words.3 == bits &* 3 else { return nil }
        return Int(id.words.0)
    }
}

/// The connections that write: one for each of the first 60 sources, and two for each of the last four, which are shared.
enum Writers {
    static let alone = 60
    static let count = 68

    static func source(_ writer: Int) -> UInt8 {
        UInt8(writer < alone ? writer : alone + (writer - alone) / 2)
    }
}

/// What anyone has been told of the entities of a kind: two who know the same version of an entity know the same row, and
/// what was known when a question was put is known to its answer.
final class Observed {
    private struct State {
        var version: UInt64 = 0
        var tags = Tags.zero
    }

    private static let kept = 16

    /// By entity: the highest version that anyone was told.
    let newest: UnsafeMutablePointer<UInt64>
    private let states: UnsafeMutablePointer<State>

    /// The tags that stand for a deletion.
    static let deleted = Tags(a: .max, b: .max)

    init() {
        newest = .allocate(capacity: Entities.count)
        newest.initialize(repeating: 0, count: Entities.count)
        states = .allocate(capacity: Entities.count * Self.kept)
        states.initialize(repeating: State(), count: Entities.count * Self.kept)
    }

    deinit {
        newest.deallocate()
        states.deallocate()
    }

    /// Someone was told that the entity is so.
    /// - Returns: false: someone else was told something else of the same version.
    @inline(__always)
    func take(_ entity: Int, version: UInt64, _ tags: Tags) -> Bool {
        let state = states + (entity * Self.kept + Int(version & UInt64(Self.kept - 1)))
        if state.pointee.version == version { return state.pointee.tags == tags }
        if version > state.pointee.version { state.pointee = State(version: version, tags: tags) }
        if version > newest[entity] { newest[entity] = version }
        return true
    }
}
