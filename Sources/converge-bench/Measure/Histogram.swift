/// Durations in nanoseconds with three significant digits, in memory of a fixed size: what is recorded costs no allocation.
///
/// Values below 2,048 have a bucket each. From there on every doubling has 1,024 buckets of equal width, so that a bucket is
/// never wider than 1/1,024 of its values. What is longer than `longest` counts as `longest`.
struct Histogram {
    /// Nanoseconds: 68.7 s.
    static let longest: UInt64 = (1 << 36) - 1
    private static let halfBits = 10
    private static let half = 1 << halfBits

    private var counts = [UInt64](repeating: 0, count: index(of: longest) + 1)
    private(set) var count: UInt64 = 0
    private(set) var max: UInt64 = 0

    @inline(__always)
    mutating func record(_ nanoseconds: UInt64) {
        let value = Swift.min(nanoseconds, Self.longest)
        counts[Self.index(of: value)] &+= 1
        count &+= 1
        if value > max { max = value }
    }

    /// The smallest value that at least this share (0...1) of all values does not exceed, as the middle of its bucket, the largest of all exactly; nil:
    /// nothing is recorded.
    func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        let wanted = Swift.max(1, UInt64((share * Double(count)).rounded(.up)))
        if wanted >= count { return Double(max) }
        var seen: UInt64 = 0
        for (index, counted) in counts.enumerated() {
            seen += counted
            if seen >= wanted { return Swift.min(Self.middle(of: index), Double(max)) }
        }
        return Double(max)
    }

    /// In microseconds.
    func microseconds(_ share: Double) -> Double? { quantile(share).map { $0 / 1_000 } }

    /// Bucket of a value: its 11 leading bits, and how far they were shifted.
    @inline(__always)
    static func index(of value: UInt64) -> Int {
        let shift = Swift.max(0, 63 - halfBits - value.leadingZeroBitCount)
        return shift * half + Int(truncatingIfNeeded: value >> UInt64(shift))
    }

    private static func middle(of index: Int) -> Double {
        let shift = index < 2 * half ? 0 : index / half - 1
        let lowest = UInt64(index - shift * half) << UInt64(shift)
        return Double(lowest) + Double((1 << shift) - 1) / 2
    }
}
