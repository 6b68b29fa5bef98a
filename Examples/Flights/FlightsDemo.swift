import ConvergeClient
import Glibc

/// The programs of the demo; scripts/demo.sh runs them together.
///
///     flights-demo play schedule|departures|arrivals --csv FILE --server HOST:PORT --start MS --speed MINUTES
///     flights-demo follow --out FILE --server HOST:PORT [--board --start MS --speed MINUTES]
///     flights-demo compare --csv FILE ROWS...
@main
struct FlightsDemo {
    static func main() async {
        let arguments = Arguments(CommandLine.arguments.dropFirst())
        do {
            switch arguments.plain.first {
            case "play":
                guard let role = SourceRole(rawValue: arguments.plain.dropFirst().first ?? "") else {
                    throw FlightFileError(description: "play which source? schedule, departures or arrivals")
                }
                try await play(role, flights: arguments.flights(), clock: arguments.clock(), at: arguments.address())
            case "follow":
                catchStopSignals()
                let board = arguments.has("--board") ? Board(clock: try arguments.clock()) : nil
                try await follow(writing: arguments.value("--out"), board: board, at: arguments.address())
            case "compare":
                let files = Array(arguments.plain.dropFirst())
                exit(try compareRows(files, with: arguments.flights()) ? 0 : 7)
            default:
                throw FlightFileError(description: "say one of: play, follow, compare (scripts/demo.sh runs them all)")
            }
        } catch {
            say("flights-demo: \(error)")
            exit(1)
        }
    }
}

struct Arguments {
    private var values: [String: String] = [:]
    private(set) var plain: [String] = []

    init(_ words: some Sequence<String>) {
        var words = words.makeIterator()
        while let word = words.next() {
            if word == "--board" {
                values[word] = ""
            } else if word.hasPrefix("--") {
                values[word] = words.next()
            } else {
                plain.append(word)
            }
        }
    }

    func has(_ name: String) -> Bool { values[name] != nil }

    func value(_ name: String) throws -> String {
        guard let value = values[name] else { throw FlightFileError(description: "\(name) is missing") }
        return value
    }

    func flights() throws -> [Flight] { try readFlights(readText(value("--csv"))) }

    func clock() throws -> DayClock {
        guard let start = Int64(try value("--start")), let speed = Double(try value("--speed")), speed > 0 else {
            throw FlightFileError(description: "--start takes milliseconds since 1970, --speed minutes a second")
        }
        return DayClock(start: start, perSecond: speed)
    }

    func address() throws -> Address {
        let text = try value("--server")
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw FlightFileError(description: "--server takes HOST:PORT, not \(text)")
        }
        return Address(host: String(text[..<colon]), port: port)
    }
}
