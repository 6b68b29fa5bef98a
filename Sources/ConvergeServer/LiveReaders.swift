import ConvergeEngine
import ConvergeTransport

/// A subscriber that is fed from flushes.
struct LiveReader {
    let connection: Connection
    /// Its subscription's buffer in notifications (R5).
    let notifications: Int
}

/// The subscribers that are fed from flushes, by kind and class.
struct LiveReaders {
    /// All classes there are: the index is the class number.
    static let classes = [
        NotificationClass(number: 0, previous: false), NotificationClass(number: 1, previous: true),
    ]

    static func `class`(previous: Bool) -> Int { previous ? 1 : 0 }

    private struct Kind {
        var readers: [[LiveReader]] = Array(repeating: [], count: LiveReaders.classes.count)
        var isEmpty: Bool { readers.allSatisfy(\.isEmpty) }
    }

    private var kinds: [Kind] = []
    /// Kinds with at least one reader, in no order.
    private(set) var kindsRead: [UInt16] = []
    private(set) var count = 0

    subscript(kind: UInt16, class: Int) -> [LiveReader] {
        _read { yield kinds[Int(kind)].readers[`class`] }
        _modify { yield &kinds[Int(kind)].readers[`class`] }
    }

    mutating func add(_ reader: LiveReader, kind: UInt16, class: Int) {
        while kinds.count <= Int(kind) { kinds.append(Kind()) }
        if kinds[Int(kind)].isEmpty { kindsRead.append(kind) }
        kinds[Int(kind)].readers[`class`].append(reader)
        count += 1
    }

    mutating func remove(_ connection: Connection, kind: UInt16, class: Int) {
        guard Int(kind) < kinds.count,
            let index = kinds[Int(kind)].readers[`class`].firstIndex(where: { $0.connection == connection })
        else { return }
        kinds[Int(kind)].readers[`class`].remove(at: index)
        count -= 1
        if kinds[Int(kind)].isEmpty { kindsRead.removeAll { $0 == kind } }
    }
}
