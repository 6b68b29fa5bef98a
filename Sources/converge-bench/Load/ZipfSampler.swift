import Glibc

/// Ranks 1...count, rank k with a probability proportional to 1 / k^exponent: rejection-inversion (W. Hörmann,
/// G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", 1996). Exact, without
/// tables, whatever the count; more than 95 of 100 draws are taken at once. Deterministic for a seed.
struct ZipfSampler {
    private let count: Double
    private let exponent: Double
    private let integralOfFirst: Double
    private let integralOfAll: Double
    /// Up to this far above x a rank is taken without looking closer.
    private let sureDistance: Double
    private var state: UInt64

    /// - Parameters:
    ///   - count: at least 1.
    ///   - exponent: above 0, and not 1.
    init(count: Int, exponent: Double, seed: UInt64) {
        precondition(count >= 1 && exponent > 0 && exponent != 1)
        self.count = Double(count)
        self.exponent = exponent
        state = seed
        integralOfFirst = Self.integral(1.5, exponent) - 1
        integralOfAll = Self.integral(Double(count) + 0.5, exponent)
        sureDistance = 2 - Self.inverse(Self.integral(2.5, exponent) - Self.height(2, exponent), exponent)
    }

    mutating func next() -> Int {
        while true {
            let area = integralOfAll + uniform() * (integralOfFirst - integralOfAll)
            let x = Self.inverse(area, exponent)
            let rank = min(count, max(1, x.rounded()))
            if rank - x <= sureDistance
                || area >= Self.integral(rank + 0.5, exponent) - Self.height(rank, exponent)
            {
                return Int(rank)
            }
        }
    }

    /// In 0..<1, by splitmix64.
    private mutating func uniform() -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Double((mixed ^ mixed >> 31) >> 11) * 0x1p-53
    }

    /// 1 / x^exponent.
    private static func height(_ x: Double, _ exponent: Double) -> Double { exp(-exponent * log(x)) }

    /// Of `height`, from 1 to x.
    private static func integral(_ x: Double, _ exponent: Double) -> Double {
        expm1((1 - exponent) * log(x)) / (1 - exponent)
    }

    /// The x whose `integral` is `area`.
    private static func inverse(_ area: Double, _ exponent: Double) -> Double {
        exp(log1p(area * (1 - exponent)) / (1 - exponent))
    }
}
