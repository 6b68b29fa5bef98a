import Glibc

/// The command line: one run, or the proof that a run can fail.
enum Command {
    /// - Returns: the exit code: 0 all was well, 1 something is wrong, 2 wrong command line.
    static func run(_ arguments: [String]) -> Int32 {
        let options: Options
        do { options = try Options(arguments) } catch {
            say("converge-stress: \(error.sentence)\n\(Options.usage)", to: STDERR_FILENO)
            return 2
        }
        if options.isAskingForHelp {
            say(Options.usage)
            return 0
        }
        do throws(StressFailure) {
            if options.isSelfTest {
                try SelfTest.run(options)
            } else {
                say(try World.run(options).description)
            }
            return 0
        } catch {
            say("converge-stress: \(error.sentence)\n  to repeat it: \(options.commandLine)", to: STDERR_FILENO)
            return 1
        }
    }

}

/// Writes a line at once, so that both outputs stay in order.
func say(_ text: String, to descriptor: Int32 = STDOUT_FILENO) {
    let bytes = Array((text + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}

/// What went wrong, as a sentence: who was told what about which entity.
struct StressFailure: Error {
    let sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}

/// SplitMix64: the same seed makes the same decisions, as far as the network's timing lets it.
struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Random.mixed(state)
    }

    /// 0 to `count - 1`.
    mutating func below(_ count: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(count)).high) }

    mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

    /// True in so many of a hundred cases.
    mutating func percent(_ chance: Int) -> Bool { below(100) < chance }

    /// A bijection without fixed points worth mentioning.
    @inline(__always)
    static func mixed(_ value: UInt64) -> UInt64 {
        var bits = value
        bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
        return bits ^ bits >> 31
    }
}
