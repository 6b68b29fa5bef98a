import Glibc

/// How often each thing under test accepted what came and refused it, printed when the process ends: a target that spends its
/// time in front of a closed door looks like one that finds nothing. scripts/fuzz.sh fails when something never accepted.
struct Reach {
    private var names: [String] = []
    private var accepted: [Int] = []
    private var refused: [Int] = []

    mutating func add(_ name: String) -> Int {
        names.append(name)
        accepted.append(0)
        refused.append(0)
        return names.count - 1
    }

    mutating func count(_ index: Int, _ isAccepted: Bool) {
        if isAccepted { accepted[index] += 1 } else { refused[index] += 1 }
    }

    func report() {
        for index in names.indices {
            let verdict = accepted[index] == 0 ? "never accepted" : "accepted \(accepted[index])"
            print("reach: \(names[index]): \(verdict), refused \(refused[index])")
        }
    }
}

nonisolated(unsafe) var reach = Reach()

/// Has the report printed at the end of the process.
let reportAtExit: Void = { atexit { reach.report() } }()
