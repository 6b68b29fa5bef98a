import Glibc

/// What a run is told.
struct Options {
    var seconds = 10
    var seed: UInt64 = 1
    var net = "auto"
    var shards = 1
    var partitions = 1
    /// Writes a second, all sources together.
    var rate = 8_000
    var subscribers = 200
    /// Path of the server's program.
    var server = Options.besideThisProgram("convergedb")
    var fault: Fault.Kind?
    var isSelfTest = false
    var isAskingForHelp = false

    static let usage = """
        converge-stress [flags]      starts a server of its own, and fails when anyone is told something wrong

          --seconds N       how long sources write, 1 to 86,400 (10)
          --seed N          of all decisions (1)
          --net NAME        how the server serves sockets: auto, io_uring or epoll (auto)
          --shards N        threads of the server, 1 to the partitions (1)
          --partitions N    of the server, 1 to 64 (1)
          --rate N          writes a second, all sources together, 1 to 1,000,000 (8000)
          --subscribers N   1 to 1,000 (200)
          --server PATH     the server's program (convergedb beside this one)
          --fault NAME      does something wrong itself, which must be found: \(Fault.Kind.names)
          --self-test       every fault once; fails unless each is found
        """

    init(_ arguments: [String]) throws(StressFailure) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            switch parts[0] {
            case "--help", "-h":
                isAskingForHelp = true
                continue
            case "--self-test":
                isSelfTest = true
                continue
            default: break
            }
            guard let text = parts.count == 2 ? parts[1] : rest.popFirst() else {
                throw StressFailure("\(parts[0]) is no flag, or needs a value")
            }
            try set(parts[0], text)
        }
    }

    private mutating func set(_ flag: String, _ text: String) throws(StressFailure) {
        switch flag {
        case "--seconds": seconds = try Options.number(flag, text, 1...86_400)
        case "--seed": seed = UInt64(try Options.number(flag, text, 0...Int.max))
        case "--shards": shards = try Options.number(flag, text, 1...64)
        case "--partitions": partitions = try Options.number(flag, text, 1...64)
        case "--rate": rate = try Options.number(flag, text, 1...1_000_000)
        case "--subscribers": subscribers = try Options.number(flag, text, 1...1_000)
        case "--server": server = text
        case "--net":
            guard ["auto", "io_uring", "epoll"].contains(text) else {
                throw StressFailure("--net takes auto, io_uring or epoll, not '\(text)'")
            }
            net = text
        case "--fault":
            guard let kind = Fault.Kind(rawValue: text) else {
                throw StressFailure("--fault takes one of \(Fault.Kind.names), not '\(text)'")
            }
            fault = kind
        default: throw StressFailure("'\(flag)' is no flag of converge-stress")
        }
    }

    private static func number(_ flag: String, _ text: String, _ range: ClosedRange<Int>) throws(StressFailure) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw StressFailure("\(flag) takes \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return number
    }

    /// What makes the same decisions again.
    var commandLine: String {
        "converge-stress --seconds \(seconds) --seed \(seed) --net \(net) --shards \(shards) --partitions \(partitions) --rate \(rate)"
            + " --subscribers \(subscribers)" + (fault.map { " --fault \($0.rawValue)" } ?? "")
    }

    private static func besideThisProgram(_ name: String) -> String {
        var path = [UInt8](repeating: 0, count: 4_096)
        let count = path.withUnsafeMutableBytes { readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        let folder = path[..<max(0, count)].split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return (folder.dropLast().map { String(decoding: $0, as: UTF8.self) } + [name]).joined(separator: "/")
    }
}
