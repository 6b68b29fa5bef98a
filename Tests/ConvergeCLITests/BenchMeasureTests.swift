import Testing

@testable import converge_bench

/// What converge-bench draws keys from, and what it counts durations in.
@Suite struct BenchMeasureTests {
    // MARK: Zipf

    /// 24 classes have 23 degrees of freedom: a right sampler is above 49.7 once in a thousand seeds, and the seed is fixed.
    /// An exponent of 0.97 instead of 0.99 gives more than 100.
    @Test(arguments: [1, 3, 100, 10_000, 1_000_000]) func zipfHasItsDistribution(_ count: Int) {
        let draws = 400_000
        let classes = Self.classes(of: count)
        var seen = [Int](repeating: 0, count: classes.count)
        var sampler = ZipfSampler(count: count, exponent: 0.99, seed: 7)
        for _ in 0..<draws {
            let rank = sampler.next()
            #expect(rank >= 1 && rank <= count)
            seen[classes.firstIndex { $0.contains(rank) } ?? 0] += 1
        }
        #expect(Self.chiSquare(seen, Self.shares(of: classes, exponent: 0.99)) < 49.7)
        if count >= 100 { #expect(Self.chiSquare(seen, Self.shares(of: classes, exponent: 0.97)) > 100) }
    }

    /// Ranks 1 to 8 each, then doublings: at most 24.
    private static func classes(of count: Int) -> [ClosedRange<Int>] {
        var classes = (1...min(8, count)).map { $0...$0 }
        var first = 9
        while first <= count {
            let last = min(count, first * 2 - 1)
            classes.append(first...last)
            first = last + 1
        }
        return classes
    }

    private static func shares(of classes: [ClosedRange<Int>], exponent: Double) -> [Double] {
        let weights = classes.map { $0.reduce(0) { $0 + power(Double($1), -exponent) } }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    private static func chiSquare(_ seen: [Int], _ shares: [Double]) -> Double {
        let draws = Double(seen.reduce(0, +))
        return zip(seen, shares).reduce(0) { sum, pair in
            let expected = draws * pair.1
            return sum + (Double(pair.0) - expected) * (Double(pair.0) - expected) / expected
        }
    }

    @Test func keysAreTheSameForASeedAndAnotherForAnother() {
        for distribution in KeyDistribution.allCases {
            let keys = Self.keys(distribution, seed: 5)
            #expect(keys == Self.keys(distribution, seed: 5))
            #expect(keys != Self.keys(distribution, seed: 6))
            #expect(keys.allSatisfy { $0 < (distribution == .hot ? 100 : 1_000) })
        }
        #expect(Set(Self.keys(.hot, seed: 1)).count == 100)
    }

    /// The hottest entity has the first rank's share, and no entity stands for two ranks.
    @Test func zipfKeysAreScattered() {
        let places = (1...1_000).map { RunKeys.scattered($0, entities: 1_000) }
        #expect(Set(places).count == 1_000)
        let keys = Self.keys(.zipf, seed: 1)
        let hottest = keys.count { $0 == RunKeys.scattered(1, entities: 1_000) }
        // 1 / (sum of 1 / k^0.99) is 0.1299 for 1,000 entities.
        #expect(hottest > 2_400 && hottest < 2_800)
    }

    private static func keys(_ distribution: KeyDistribution, seed: UInt64) -> [UInt64] {
        var keys = RunKeys(distribution, entities: 1_000, seed: seed)
        return (0..<20_000).map { _ in keys.next().key }
    }

    // MARK: Histogram

    @Test func quantilesAreThoseOfTheSortedSamples() {
        for longest in [500, 5_000, 3_000_000, 40_000_000_000] as [UInt64] {
            var histogram = Histogram()
            var state = longest
            // Most are short, a few are long.
            var samples = (0..<50_000).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return (state % longest) >> ((state >> 32) % 12)
            }
            for sample in samples { histogram.record(sample) }
            samples.sort()
            for share in [0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1] {
                let exact = Double(samples[max(0, Int((share * 50_000).rounded(.up)) - 1)])
                let found = histogram.quantile(share) ?? -1
                #expect(abs(found - exact) <= exact / 1_000, "\(share) of up to \(longest): \(found), not \(exact)")
            }
            #expect(histogram.count == 50_000)
        }
    }

    /// Of few values it matters which one is the first that a share does not exceed.
    @Test func quantilesOfAFewValues() {
        var histogram = Histogram()
        for value in [30, 10, 20] as [UInt64] { histogram.record(value) }
        let quantiles = [0, 0.3, 0.34, 0.5, 0.66, 0.67, 1].map { histogram.quantile($0) }
        #expect(quantiles == [10, 10, 20, 20, 20, 30, 30])
    }

    @Test func theEdgesOfTheHistogram() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == nil)
        histogram.record(0)
        #expect(histogram.quantile(1) == 0)
        histogram.record(.max)
        #expect(histogram.max == Histogram.longest)
        #expect(histogram.quantile(1) == Double(Histogram.longest))
        // Buckets follow each other without a gap, and none goes back.
        var last = 0
        for value in (0..<100_000 as Range<UInt64>) {
            let index = Histogram.index(of: value)
            #expect(index == last || index == last + 1)
            last = index
        }
    }
}

/// Without Glibc, whose `exp` the sampler uses: by series, so that the expectation is computed in another way.
private func power(_ base: Double, _ exponent: Double) -> Double {
    // base = m * 2^e with m in 1..<2; ln m = 2 artanh((m - 1) / (m + 1)).
    let z = (base.significand - 1) / (base.significand + 1)
    var logarithm = 0.0
    var term = z
    for odd in stride(from: 1.0, through: 41, by: 2) {
        logarithm += 2 * term / odd
        term *= z * z
    }
    let x = exponent * (logarithm + Double(base.exponent) * 0.693_147_180_559_945_3)
    var sum = 1.0
    var part = 1.0
    let halved = x / 16
    for index in 1...20 {
        part *= halved / Double(index)
        sum += part
    }
    for _ in 0..<4 { sum *= sum }
    return sum
}
