import ConvergeJSON
import Testing

@Suite struct JSONNumberTests {
    @Test func integersAreExact() throws {
        #expect(try parse("18446744073709551615").integer() == UInt64.max)
        #expect(try parse("18446744073709551616").integer(as: UInt64.self) == nil)
        #expect(try parse("340282366920938463463374607431768211455").integer() == UInt128.max)
        #expect(try parse("340282366920938463463374607431768211456").integer(as: UInt128.self) == nil)
        #expect(try parse("-9223372036854775808").integer() == Int64.min)
        #expect(try parse("-170141183460469231731687303715884105728").integer() == Int128.min)
        #expect(try parse("9007199254740993").integer() == 9_007_199_254_740_993)
        #expect(try parse("-0").integer() == UInt8(0))
        #expect(try parse("-1").integer(as: UInt8.self) == nil)
        #expect(try parse("1.0").integer(as: Int.self) == nil)
        #expect(try parse("1e2").integer(as: Int.self) == nil)
    }

    @Test func doubles() throws {
        #expect(try parse("-0").double?.sign == .minus)
        #expect(try parse("1e400").double == nil)
        #expect(try parse("-1e400").double == nil)
        #expect(try parse("1e-400").double == 0)
        #expect(try parse("1.5E+2").double == 150)
        #expect(try parse("5e-324").double == .leastNonzeroMagnitude)
        #expect(try parse("0.1").double == 0.1)
        #expect(try parse(String(repeating: "9", count: 100_000)).double == nil)
        #expect(try parse("\"1\"").double == nil)
    }

    @Test func numbersKeepTheirText() throws {
        for text in ["-0", "1e400", "0.10", "1E5", "340282366920938463463374607431768211456"] {
            #expect(try parse(text).description == text)
        }
    }

    @Test(arguments: UInt64(1)...100)
    func writtenDoublesReadBackTheSame(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<20 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }
            #expect(try parse(JSONValue.double(number).description).double?.bitPattern == number.bitPattern)
        }
    }
}
