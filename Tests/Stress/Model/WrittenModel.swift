import ConvergeWire

/// What a writer knows of what it has written, whatever becomes of its connections.
///
/// Its writes are numbered, and the number is in the tag of what they write. A connection that is lost takes an unknown number of
/// its last writes with it: what they wrote is not certain any more until it is written again. A SYNCED, or an end in order
/// behind GOODBYE, makes everything certain that was sent before.
struct WrittenModel {
    /// An entity that nobody else writes.
    struct Own {
        var isAlive = false
        var tags = Tags.zero
        /// Number of the last write, and of the last RETRACT.
        var last: UInt64 = 0
        var lastRetract: UInt64 = 0
        var isCertain = true
    }

    /// An entity that others write too: who was last is not known, but what this one's last words were.
    struct Shared {
        var isAsserted = false
        var isAssertedCertain = true
        var last: UInt64 = 0
        /// Number of the last write of each group, 0: none.
        var lastA: UInt64 = 0
        var lastB: UInt64 = 0
        var isCertainA = true
        var isCertainB = true
    }

    enum Change {
        case assert
        case patch(Groups)
        case retract
    }

    let writer: Int
    /// Writes so far, of all connections.
    var writes: UInt64 = 0
    /// Up to here they are flushed: SYNCED has said so.
    var synced: UInt64 = 0
    /// Up to here they are applied, or known to be lost.
    var settled: UInt64 = 0
    var own = [Own](repeating: Own(), count: KindShape.all.count * Entities.own)
    var shared = [Shared](repeating: Shared(), count: KindShape.all.count * Entities.shared)

    init(writer: Int) { self.writer = writer }

    func tag(_ write: UInt64) -> UInt64 { UInt64(writer + 1) << 40 | write }

    static func write(of tag: UInt64) -> UInt64 { tag & (1 << 40 - 1) }
    static func writer(of tag: UInt64) -> Int { Int(tag >> 40) - 1 }

    /// The last write that a row of an own entity shows.
    static func write(of tags: Tags) -> UInt64 { max(write(of: tags.a), write(of: tags.b)) }

    mutating func own(_ index: Int, _ change: Change, _ write: UInt64) {
        let tag = tag(write)
        own[index].last = write
        switch change {
        case .assert:
            own[index].tags = Tags(a: tag, b: tag)
            own[index].isAlive = true
            own[index].isCertain = true
        case .patch(let groups):
            if groups != .b { own[index].tags.a = tag }
            if groups != .a { own[index].tags.b = tag }
            own[index].isAlive = true
            if groups == .both { own[index].isCertain = true }
        case .retract:
            own[index].tags = .zero
            own[index].isAlive = false
            own[index].isCertain = true
            own[index].lastRetract = write
        }
    }

    mutating func shared(_ index: Int, _ change: Change, _ write: UInt64) {
        shared[index].last = write
        shared[index].isAssertedCertain = true
        var groups = Groups.both
        switch change {
        case .assert: break
        case .patch(let patched): groups = patched
        case .retract:
            shared[index].isAsserted = false
            return
        }
        shared[index].isAsserted = true
        if groups != .b {
            shared[index].lastA = write
            shared[index].isCertainA = true
        }
        if groups != .a {
            shared[index].lastB = write
            shared[index].isCertainB = true
        }
    }

    /// A connection is lost: what was sent behind the last certain point may have arrived, or not.
    mutating func lose() {
        for index in own.indices where own[index].last > settled { own[index].isCertain = false }
        for index in shared.indices where shared[index].last > settled {
            shared[index].isAssertedCertain = false
            shared[index].isCertainA = shared[index].isCertainA && shared[index].lastA <= settled
            shared[index].isCertainB = shared[index].isCertainB && shared[index].lastB <= settled
        }
        settled = writes
    }
}
