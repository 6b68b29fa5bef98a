import ConvergeSchema
import Glibc

/// One flag of the command line.
struct OptionDefinition: Sendable {
    let name: String
    /// What stands behind it; empty: it takes no value.
    let value: String
    let help: String
    /// What is wrong with the text, as the rest of a sentence that begins with the flag's name; nil: it is taken.
    let apply: @Sendable (inout Options, String) -> String?

    static let all: [OptionDefinition] = [
        OptionDefinition(
            name: "--server", value: "HOST:PORT", help: "the server; default 127.0.0.1:3727, or $CONVERGEDB_SERVER"
        ) { options, text in
            guard let address = address(text) else { return "takes HOST:PORT with a port from 1 to 65535" }
            (options.host, options.port) = address
            return nil
        },
        OptionDefinition(
            name: "--server-pid", value: "PID", help: "measure the CPU time of this process; without it that is null"
        ) { options, text in
            // Linux has none above; the id of a clock has no room for them either.
            guard let pid = pid_t(text), (1...4_194_304).contains(pid) else {
                return "takes the process id of the server"
            }
            options.serverPID = pid
            return nil
        },
        flag("--json", "print one JSON object", \.json),
        count("--connections", 1...10_000, "connections that write", \.connections),
        count("--entities", 1...1_000_000_000, "entities that are written", \.entities),
        count("--row-bytes", BenchKind.rowBytes, "bytes of a row's fields", \.rowBytes),
        count("--subscribers", 1...10_000, "connections that subscribe", \.subscribers),
        count("--rate", 0...1_000_000_000, "operations a second in all; 0: as fast as possible", \.rate),
        OptionDefinition(name: "--seconds", value: "N", help: "length of the measured part") { options, text in
            guard let seconds = Double(text), seconds > 0, seconds <= 86_400 else {
                return "takes seconds, more than 0 and at most 86400"
            }
            options.length = .seconds(seconds)
            return nil
        },
        OptionDefinition(name: "--operations", value: "N", help: "or its number of operations") { options, text in
            guard let operations = Int(text), operations > 0 else { return "takes a whole number above 0" }
            options.length = .operations(operations)
            return nil
        },
        OptionDefinition(
            name: "--durability", value: "WORD", help: "of the kind that is written: durable or ephemeral"
        ) { options, text in
            guard let durability = Durability.allCases.first(where: { $0.description == text }) else {
                return "takes durable or ephemeral"
            }
            options.durability = durability
            return nil
        },
        OptionDefinition(
            name: "--keys", value: "WORD", help: "how entities are chosen: uniform, zipf (0.99), hot (100 of them)"
        ) { options, text in
            guard let keys = KeyDistribution(rawValue: text) else { return "takes uniform, zipf or hot" }
            options.keys = keys
            return nil
        },
        count("--batch", 0...10_000, "writes in one BATCH frame; 0: a frame each (assert, patch, hot)", \.batch),
        count("--pipeline", 1...1_024, "queries under way on a connection; 1: one at a time, timed", \.pipeline),
        flag("--ping", "with --pipeline 1: a bare TCP ping-pong beside the queries", \.isPinging),
        count("--readers", 1...10_000, "subscribers that bootstrap", \.readers),
        flag("--together", "all of them at once instead of one after another", \.isTogether),
        OptionDefinition(name: "--window-ms", value: "N", help: "fail unless this is the server's window") {
            options, text in
            guard let milliseconds = Int(text), (0...60_000).contains(milliseconds) else {
                return "takes milliseconds from 0 to 60000"
            }
            options.windowMilliseconds = milliseconds
            return nil
        },
        OptionDefinition(
            name: "--time-limit", value: "N", help: "seconds after which loading or measuring fails; default 600"
        ) { options, text in
            guard let seconds = Double(text), seconds > 0, seconds <= 90_000 else {
                return "takes seconds, more than 0 and at most 90000"
            }
            options.timeLimit = seconds
            return nil
        },
        count("--buffer", 1...1_048_576, "notifications the server may hold for a subscriber", \.buffer),
        OptionDefinition(name: "--seed", value: "N", help: "of the keys and values") { options, text in
            guard let seed = UInt64(text) else { return "takes a whole number from 0" }
            options.seed = seed
            return nil
        },
    ]

    private static func count(
        _ name: String, _ range: ClosedRange<Int>, _ help: String, _ member: WritableKeyPath<Options, Int> & Sendable
    ) -> OptionDefinition {
        OptionDefinition(name: name, value: "N", help: help) { options, text in
            guard let number = Int(text), range.contains(number) else {
                return "takes a whole number from \(range.lowerBound) to \(range.upperBound)"
            }
            options[keyPath: member] = number
            return nil
        }
    }

    private static func flag(
        _ name: String, _ help: String, _ member: WritableKeyPath<Options, Bool> & Sendable
    ) -> OptionDefinition {
        OptionDefinition(name: name, value: "", help: help) { options, _ in
            options[keyPath: member] = true
            return nil
        }
    }

    /// `host:port`, with an IPv6 host in brackets.
    private static func address(_ text: String) -> (String, UInt16)? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0 else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty || host.contains("[") ? nil : (String(host), port)
    }
}
