import ConvergeClient
import Glibc

/// A command line, taken apart: the verb's words, its flags and the global ones.
struct Invocation: Sendable {
    let verb: Verb
    let words: [String]
    let flags: [String: String]
    let global: GlobalOptions
    /// The shell that the line was typed in; nil: a command of its own.
    let shell: ShellContext?

    func has(_ flag: String) -> Bool { flags[flag] != nil }

    /// A flag's value as a positive whole number.
    func count(_ flag: String) throws -> Int? {
        guard let text = flags[flag] else { return nil }
        guard let number = Int(text), number > 0 else {
            throw CommandFailure(.usage, "\(flag) takes a whole number above 0, not '\(shown(text))'")
        }
        return number
    }
}

/// The flags that every verb takes, anywhere on the line.
struct GlobalOptions: Sendable {
    static let flags = [
        Flag("--server", "HOST:PORT", "default $CONVERGEDB_SERVER, or 127.0.0.1:3727"),
        Flag("--source", "N", "write as this source, 0 to 63; default 63, shared"),
        Flag("--token-file", "FILE", "present the access token in this file"),
        Flag("--json", nil, "print JSON: one document (watch: one object a line)"),
        Flag("--timeout", "SECONDS", "for connecting and for each answer; default 10"),
        Flag("--help", nil, "this text; behind a verb, the verb's"),
        Flag("--version", nil, "the version"),
    ]

    var host = "127.0.0.1"
    var port = WireLimits.defaultPort
    var source: UInt8?
    var tokenFile: String?
    var json = false
    var timeout = Duration.seconds(10)

    var address: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }

    /// Whether a connection made with the others serves these too.
    func isSameConnection(as other: GlobalOptions) -> Bool {
        (host, port, source, tokenFile, timeout) == (
            other.host, other.port, other.source, other.tokenFile, other.timeout
        )
    }

    init(_ flags: [String: String]) throws {
        let environment = getenv("CONVERGEDB_SERVER").map { String(cString: $0) }
        if let server = flags["--server"] {
            try take(server: server, from: "--server")
        } else if let environment, !environment.isEmpty {
            try take(server: environment, from: "CONVERGEDB_SERVER")
        }
        if let text = flags["--source"] {
            guard let number = UInt8(text), number < 64 else {
                throw CommandFailure(.usage, "--source takes a number from 0 to 63, not '\(shown(text))'")
            }
            source = number
        }
        tokenFile = flags["--token-file"]
        json = flags["--json"] != nil
        if let text = flags["--timeout"] { timeout = try Self.seconds(text, "--timeout", 0.001...86_400) }
    }

    private static func seconds(
        _ text: String, _ flag: String, _ range: ClosedRange<Double>
    ) throws -> Duration {
        guard let number = Double(text), range.contains(number) else {
            let low = range.lowerBound < 1 ? "\(range.lowerBound)" : "\(Int(range.lowerBound))"
            throw CommandFailure(
                .usage,
                "\(flag) takes seconds from \(low) to \(Int(range.upperBound)), not '\(shown(text))'")
        }
        return .milliseconds(Int64((number * 1000).rounded()))
    }

    /// `host`, `host:port`, `[v6]:port`, `[v6]`.
    private mutating func take(server: String, from origin: String) throws {
        let refusal = CommandFailure(
            .usage, "\(origin) takes HOST:PORT with a port from 1 to 65535, e.g. 127.0.0.1:3727, not '\(shown(server))'"
        )
        if server.split(separator: "/", omittingEmptySubsequences: false).dropFirst().first == "" {
            throw CommandFailure(.usage, "\(origin) takes HOST:PORT and no URL: leave '//' and what is before it away")
        }
        var rest = server[...]
        if rest.hasPrefix("[") {
            guard let close = rest.firstIndex(of: "]") else { throw refusal }
            host = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
        } else {
            let colon = rest.firstIndex(of: ":") ?? rest.endIndex
            host = String(rest[..<colon])
            rest = rest[colon...]
        }
        guard !host.isEmpty else { throw refusal }
        guard !rest.isEmpty else { return }
        guard rest.hasPrefix(":"), let number = UInt16(rest.dropFirst()), number > 0 else { throw refusal }
        port = number
    }
}
