/// Which entity is written next, and with which value. Called once a write: cheap above all.
protocol KeySource {
    mutating func next() -> (key: UInt64, value: UInt64)
}

/// How entities are chosen.
enum KeyDistribution: String, CaseIterable {
    case uniform, zipf, hot

    /// Entities that `hot` writes to.
    static let hotEntities = 100
}

/// Every entity once, in order.
struct SequentialKeys: KeySource {
    private var key: UInt64 = 0
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    @inline(__always)
    mutating func next() -> (key: UInt64, value: UInt64) {
        defer { key &+= 1 }
        return (key, SequentialKeys.value(of: key, seed: seed))
    }

    /// What an entity is loaded with. Odd times anything: different for every key.
    @inline(__always)
    static func value(of key: UInt64, seed: UInt64) -> UInt64 { (key &+ seed) &* 0x9E37_79B9_7F4A_7C15 }
}

/// Entities as the distribution chooses them; the values never repeat (xorshift). Two runs with one seed are the same.
///
/// Drawing from zipf costs as much as the server needs for a write, so its keys are drawn before the run, and the run takes
/// them round and round.
struct RunKeys: KeySource {
    /// Keys drawn beforehand: 8 MB.
    private static let drawnCount = 1 << 21

    private var state: UInt64
    private let range: UInt64
    /// Empty: every entity below `range` has the same chance.
    private let drawn: [UInt32]
    private var position = 0

    init(_ distribution: KeyDistribution, entities: Int, seed: UInt64) {
        // Neighbouring seeds give unrelated sequences, and the state is never 0.
        state = (seed &+ 1) &* 0x9E37_79B9_7F4A_7C15 | 1
        switch distribution {
        case .uniform: (range, drawn) = (UInt64(entities), [])
        case .hot: (range, drawn) = (UInt64(min(entities, KeyDistribution.hotEntities)), [])
        case .zipf:
            var sampler = ZipfSampler(count: entities, exponent: 0.99, seed: seed)
            range = UInt64(entities)
            drawn = (0..<Self.drawnCount).map { _ in
                UInt32(truncatingIfNeeded: Self.scattered(UInt64(sampler.next()), entities: UInt64(entities)))
            }
        }
    }

    init(_ options: Options) { self.init(options.keys, entities: options.entities, seed: options.seed) }

    @inline(__always)
    mutating func next() -> (key: UInt64, value: UInt64) {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        guard !drawn.isEmpty else { return (state.multipliedFullWidth(by: range).high, state) }
        position = (position &+ 1) & (Self.drawnCount - 1)
        return (UInt64(drawn[position]), state)
    }

    /// The entity of a rank (1...entities): frequent ones are no neighbours. Times a prime above every number of entities,
    /// so that no two ranks meet.
    static func scattered(_ rank: UInt64, entities: UInt64) -> UInt64 { (rank &- 1) &* 2_654_435_761 % entities }
}
