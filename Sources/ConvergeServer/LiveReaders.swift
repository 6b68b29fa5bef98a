import ConvergeEngine
import ConvergeTransport

/// Names a subscription's part in one partition for as long as it is there.
struct SubscriptionKey: Hashable {
    private let value: UInt64

    init(_ connection: Connection, _ kind: UInt16, partition: Int = 0, shard: Int = 0) {
        value =
            UInt64(connection.slot) << 32 | UInt64(shard) << 24 | UInt64(partition) << 16 | UInt64(kind)
    }
}

/// Who is sent the same bytes by one partition.
struct ReaderGroup {
    let partition: Int
    let kind: UInt16
    let `class`: Int
    /// Where their connections are.
    let shard: Int
}

/// A subscriber that is fed from flushes.
struct LiveReader {
    let connection: Connection
    /// Its subscription's buffer in notifications (R5).
    let notifications: Int
    /// Of its subscription.
    var serial: UInt32 = 0
}

/// The subscribers on one shard that are fed from the flushes of one partition, by kind and class.
struct LiveReaders {
    /// All classes there are: the index is the class number.
    static let classes = [
        NotificationClass(number: 0, previous: false), NotificationClass(number: 1, previous: true),
    ]

    static func `class`(previous: Bool) -> Int { previous ? 1 : 0 }

    private struct Kind {
        var readers: [[LiveReader]] = Array(repeating: [], count: LiveReaders.classes.count)
        /// Index in `kindsRead`, while there are readers.
        var place = 0
        var isEmpty: Bool { readers.allSatisfy(\.isEmpty) }
    }

    private var kinds: [Kind] = []
    /// Where each reader stands in its kind and class.
    private var places: [SubscriptionKey: Int] = [:]
    /// Kinds with at least one reader, in no order.
    private(set) var kindsRead: [UInt16] = []
    private(set) var count = 0

    subscript(kind: UInt16, class: Int) -> [LiveReader] {
        _read {
            if Int(kind) < kinds.count {
                yield kinds[Int(kind)].readers[`class`]
            } else {
                yield[]
            }
        }
    }

    mutating func add(_ reader: LiveReader, kind: UInt16, class: Int) {
        while kinds.count <= Int(kind) { kinds.append(Kind()) }
        if kinds[Int(kind)].isEmpty {
            kinds[Int(kind)].place = kindsRead.count
            kindsRead.append(kind)
        }
        places[SubscriptionKey(reader.connection, kind)] = kinds[Int(kind)].readers[`class`].count
        kinds[Int(kind)].readers[`class`].append(reader)
        count += 1
    }

    /// The last takes its place: who goes through the readers and removes some goes from the last to the first.

    mutating func remove(_ connection: Connection, kind: UInt16, class: Int) {
        guard let index = places.removeValue(forKey: SubscriptionKey(connection, kind)) else { return }
        let last = kinds[Int(kind)].readers[`class`].removeLast()
        if index < kinds[Int(kind)].readers[`class`].count {
            kinds[Int(kind)].readers[`class`][index] = last
            places[SubscriptionKey(last.connection, kind)] = index
        }
        count -= 1
        if kinds[Int(kind)].isEmpty { endReading(kind) }
    }

    private mutating func endReading(_ kind: UInt16) {
        let place = kinds[Int(kind)].place
        let last = kindsRead.removeLast()
        guard place < kindsRead.count else { return }
        kindsRead[place] = last
        kinds[Int(last)].place = place
    }
}
