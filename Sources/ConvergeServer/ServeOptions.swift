import ConvergeEngine
import ConvergeSchema
import ConvergeTransport
import ConvergeWire

/// What `convergedb serve` was told: flag before environment before default.
public struct ServeOptions: Sendable {
    public var configuration = ServerConfiguration()
    /// Asked for `--memory`: nothing is kept on disk.
    public var inMemory = false
    /// Asked for `--data`.
    public var dataDirectory: String?

    /// Names of the flags that were given, or their variables.
    public private(set) var given: Set<String> = []

    /// A wrong command line; `description` is a sentence that says what to change.
    public struct UsageError: Error, CustomStringConvertible {
        public let description: String
    }

    struct Option: Sendable {
        let name: String
        /// What stands behind it in the help; empty: it takes no value.
        let value: String
        let help: String
        let apply: @Sendable (inout ServeOptions, String) -> String?

        var variable: String {
            "CONVERGEDB_" + String(name.dropFirst(2).map { $0 == "-" ? "_" : $0 }).uppercased()
        }
    }

    private static let all: [Option] = general + bounds

    private static let general: [Option] = [
        Option(name: "--listen", value: "HOST:PORT", help: "address to listen on; port 0 picks one (127.0.0.1:3727)") {
            options, text in
            guard let address = Address(text) else {
                return "takes HOST:PORT, such as 127.0.0.1:3727 or [::1]:3727, with a port of 0 to 65,535"
            }
            options.configuration.host = address.host
            options.configuration.port = address.port
            return nil
        },
        Option(name: "--memory", value: "", help: "keep everything in memory; it ends with the process") {
            options, text in
            guard let flag = ["1": true, "true": true, "0": false, "false": false][text] else { return "takes 1 or 0" }
            options.inMemory = flag
            return nil
        },
        Option(name: "--data", value: "DIR", help: "data directory (not in this version)") { options, text in
            options.dataDirectory = text
            return nil
        },
        Option(name: "--window-ms", value: "N", help: "coalescing window in milliseconds, 0 to 60,000 (20)") {
            options, text in
            guard let milliseconds = decimal(text), (0...60_000).contains(milliseconds) else {
                return "takes milliseconds, 0 to 60,000"
            }
            options.configuration.windowMilliseconds = milliseconds
            return nil
        },
        Option(name: "--shards", value: "N", help: "threads, each with connections and partitions of its own (1)") {
            options, text in
            guard let shards = decimal(text), (1...Router.partitionsMax).contains(shards) else {
                return "takes 1 to \(Router.partitionsMax)"
            }
            options.configuration.shards = shards
            return nil
        },
        Option(
            name: "--partitions", value: "N",
            help: "slices of all entities, each with its own windows, 1 to \(Router.partitionsMax) (as many as shards)"
        ) { options, text in
            guard let partitions = decimal(text), (1...Router.partitionsMax).contains(partitions) else {
                return "takes 1 to \(Router.partitionsMax)"
            }
            options.configuration.partitions = partitions
            return nil
        },
        Option(
            name: "--net", value: "auto|io_uring|epoll",
            help: "how sockets are served (auto: io_uring, or epoll where it cannot be had)"
        ) { options, text in
            guard let backend = TransportBackend(name: text) else { return "takes auto, io_uring or epoll" }
            options.configuration.net = backend
            return nil
        },
    ]

    /// - Parameters:
    ///   - arguments: behind `serve`.
    ///   - environment: `CONVERGEDB_LISTEN` stands for `--listen`, and so on.
    public init(arguments: [String], environment: [String: String]) throws(UsageError) {
        for option in ServeOptions.all {
            guard let text = environment[option.variable] else { continue }
            try set(option, named: option.variable, text)
        }
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let option = ServeOptions.all.first(where: { $0.name == parts[0] }) else {
                let names = ServeOptions.all.map(\.name) + ["--help"]
                let what = argument.hasPrefix("-") ? "unknown flag" : "unexpected argument"
                throw UsageError(
                    description:
                        "\(what) \(Sentence.quote(parts[0]))\(Sentence.suggestion(for: parts[0], among: names))"
                        + " (convergedb serve --help lists them all)")
            }
            if parts.count == 2 {
                try set(option, named: option.name, parts[1])
            } else if option.value.isEmpty {
                try set(option, named: option.name, "1")
            } else if let value = rest.popFirst() {
                try set(option, named: option.name, value)
            } else {
                throw UsageError(description: "\(option.name) needs a value: \(option.name) \(option.value)")
            }
        }
        try validateTogether()
        guard !inMemory || dataDirectory == nil else {
            throw UsageError(description: "--memory and --data exclude each other: give one of them")
        }
        guard inMemory else {
            throw UsageError(
                description: "this version keeps everything in memory and has no data directory yet: "
                    + "start it with --memory\(dataDirectory == nil ? "" : " instead of --data")")
        }
    }

    private mutating func validateTogether() throws(UsageError) {
        if !given.contains("--partitions") { configuration.partitions = configuration.shards }
        guard configuration.shards <= configuration.partitions else {
            throw UsageError(
                description: "every shard has a partition: --shards is at most --partitions, and they were given as "
                    + "\(configuration.shards) and \(configuration.partitions)")
        }
        let pending = configuration.pendingBytesMax >> 20
        guard configuration.segmentBytesMax >> 20 >= 12 * pending else {
            throw UsageError(
                description: "one flush of \(pending) MiB of rows (--pending-max-mb) may become three times as much of "
                    + "notifications, for which a quarter of --segments-max-mb is kept free: make that at least \(12 * pending)"
            )
        }
    }

    private mutating func set(_ option: Option, named name: String, _ text: String) throws(UsageError) {
        given.insert(option.name)
        if let complaint = option.apply(&self, text) {
            throw UsageError(description: "\(name) \(complaint); got \(Sentence.quote(text))")
        }
    }

    /// The flags, one a line.
    public static var help: String {
        all.map { option in
            let flag = option.value.isEmpty ? option.name : "\(option.name) \(option.value)"
            return "  \(flag)\(String(repeating: " ", count: max(1, 30 - flag.utf8.count)))\(option.help)"
        }.joined(separator: "\n")
    }
}

/// A number in digits alone, without a sign.
func decimal(_ text: some StringProtocol) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
}

/// `HOST:PORT`, with an IPv6 host in brackets.
struct Address {
    let host: String
    let port: UInt16

    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = decimal(text[text.index(after: colon)...]).flatMap(UInt16.init(exactly:))
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains("[") else { return nil }
        self.host = String(host)
        self.port = port
    }
}
