import ConvergeSchema

extension ServeOptions {
    /// What people may want to bound otherwise; everything else is a named constant of `ServerLimits`. docs/OPERATIONS.md
    /// says what happens when each is reached.
    static let bounds: [Option] = [
        number("--connections-max", 1...1_000_000, "connections at a time", unit: "connections", \.connectionsMax),
        mebibytes("--pending-max-mb", 1...4_096, "rows in the open window", \.pendingBytesMax),
        mebibytes("--unfinished-max-mb", 16...65_536, "unfinished messages", \.unfinishedBytesMax),
        mebibytes("--held-max-mb", 1...65_536, "requests held of those who ask too fast", \.heldBytesMax),
        mebibytes("--replies-max-mb", 16...65_536, "answers that are not taken", \.repliesBytesMax),
        mebibytes("--segments-max-mb", 64...1_048_576, "notifications that are not taken", \.segmentBytesMax),
        mebibytes("--catch-up-max-mb", 1...1_048_576, "what catch-ups remember", \.catchUpBytesMax),
        mebibytes(
            "--subscriber-max-mb", 1...65_536, "notifications that one subscriber has not taken", \.subscriberBytes),
        number(
            "--subscriber-buffer", 1...ServerLimits.notificationsMax,
            "the same as a number, if it does not ask for one",
            unit: "notifications", \.subscriberNotifications),
    ]

    private typealias Setting = WritableKeyPath<ServerConfiguration, Int> & Sendable

    private static func mebibytes(
        _ name: String, _ range: ClosedRange<Int>, _ help: String, _ setting: Setting
    ) -> Option {
        let standard = ServerConfiguration()[keyPath: setting] >> 20
        return Option(name: name, value: "N", help: "MiB of \(help) (\(standard))") { options, text in
            guard let number = decimal(text), range.contains(number) else {
                return "takes MiB, \(Sentence.grouped(range.lowerBound)) to \(Sentence.grouped(range.upperBound))"
            }
            options.configuration[keyPath: setting] = number << 20
            return nil
        }
    }

    private static func number(
        _ name: String, _ range: ClosedRange<Int>, _ help: String, unit: String, _ setting: Setting
    ) -> Option {
        let standard = Sentence.grouped(ServerConfiguration()[keyPath: setting])
        return Option(name: name, value: "N", help: "\(help) (\(standard))") { options, text in
            guard let number = decimal(text), range.contains(number) else {
                return "takes \(unit), \(Sentence.grouped(range.lowerBound)) to \(Sentence.grouped(range.upperBound))"
            }
            options.configuration[keyPath: setting] = number
            return nil
        }
    }
}
