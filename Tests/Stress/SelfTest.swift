/// Proves that a run can fail: it does each thing wrong, and has to find it.
enum SelfTest {
    static func run(_ options: Options) throws(StressFailure) {
        for kind in Fault.Kind.allCases {
            var faulty = options
            faulty.fault = kind
            faulty.seconds = 1
            var found: StressFailure?
            do throws(StressFailure) { _ = try World.run(faulty) } catch { found = error }
            guard let found else { throw StressFailure("the fault '\(kind.rawValue)' was not found") }
            guard kind.isFound(by: found.sentence) else {
                throw StressFailure("the fault '\(kind.rawValue)' was not found; instead: \(found.sentence)")
            }
            say("\(kind.rawValue): \(found.sentence)")
        }
    }
}
