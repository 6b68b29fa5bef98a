/// Which entity is written next, and with which value. Called once a write: cheap above all.
protocol KeySource {
    mutating func next() -> (key: UInt64, value: UInt64)
}

/// Every entity once, in order.
struct SequentialKeys: KeySource {
    private var key: UInt64 = 0
    private let seed: UInt64

    init(seed: UInt64) { self.seed = seed }

    @inline(__always)
    mutating func next() -> (key: UInt64, value: UInt64) {
        defer { key &+= 1 }
        // Odd times anything: different for every key.
        return (key, (key &+ seed) &* 0x9E37_79B9_7F4A_7C15)
    }
}

/// Every entity with the same chance, by xorshift; the values never repeat.
struct UniformKeys: KeySource {
    private var state: UInt64
    private let entities: UInt64

    init(entities: Int, seed: UInt64) {
        self.entities = UInt64(entities)
        // Neighbouring seeds give unrelated sequences, and the state is never 0.
        state = (seed &+ 1) &* 0x9E37_79B9_7F4A_7C15 | 1
    }

    @inline(__always)
    mutating func next() -> (key: UInt64, value: UInt64) {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return (state.multipliedFullWidth(by: entities).high, state)
    }
}
