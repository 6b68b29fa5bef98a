import ConvergeClient
import ConvergeJSON

/// Notifications as lines: JSON objects, or text for people.
struct NotificationPrinter {
    private let kind: Kind
    private let json: Bool
    private let output = Output()
    /// Of the last point that everything before has been printed.
    private var token: [UInt8]

    init(_ kind: Kind, json: Bool, token: [UInt8]) {
        self.kind = kind
        self.json = json
        self.token = token
    }

    mutating func print(_ notification: Notification) {
        if case .bootstrapEnd(let end) = notification { token = end.token }
        if json { printJSON(notification) } else { printText(notification) }
    }

    func flush() {
        output.flush()
    }

    /// The last line, which says where to go on.
    func end() {
        if json {
            output.document {
                $0.member("type", "end")
                $0.member("token", hexText(token))
            }
        }
        output.flush()
    }

    // MARK: - JSON

    private func printJSON(_ notification: Notification) {
        output.document { writer in
            switch notification {
            case .change(let change): describe(change, &writer)
            case .bootstrapBegin(let begin):
                writer.member("type", "bootstrap_begin")
                writer.member("reset", begin.flags.contains(.reset))
                writer.member("resumed", begin.flags.contains(.resumed))
                writer.member("estimate", begin.estimate)
                writer.member("token", hexText(token))
            case .bootstrapEnd(let end):
                writer.member("type", "bootstrap_end")
                writer.member("count", end.count)
                writer.member("token", hexText(token))
            }
        }
    }

    private func describe(_ change: Change, _ writer: inout JSONWriter) {
        writer.member("type", change.what.name)
        writer.member("id", "\(change.id)")
        writer.member("version", change.version)
        if let row = change.row {
            writer.member(sourceSet: change.sourceSet)
            writer.member("changed", names: change.changedFields(of: kind))
            writer.member("fields", row)
        }
        if case .deleted(let reason) = change.what { writer.member("reason", reason.name) }
        if let previous = change.previous { writer.member("previous", previous) }
    }

    // MARK: - text

    private func printText(_ notification: Notification) {
        switch notification {
        case .change(let change):
            let type = output.paint(padded(change.what.name, 8), change.what.colour)
            output.line("\(type)  \(output.paint("\(change.id)", .bold))  v\(change.version)  \(fields(change))")
        case .bootstrapBegin(let begin):
            flush()
            talk("-- snapshot of about \(begin.estimate) \(begin.estimate == 1 ? "entity" : "entities") --")
        case .bootstrapEnd:
            flush()
            talk("-- end of the snapshot --")
        }
    }

    /// The changed fields of an update, all fields otherwise; with what they were before, if that is known.
    private func fields(_ change: Change) -> String {
        guard let row = change.row else {
            guard case .deleted(let reason) = change.what else { return "" }
            return "(\(reason.name))" + (change.previous.map { "  was \(pairs($0, mask: .max, before: nil))" } ?? "")
        }
        return pairs(row, mask: change.changed, before: change.previous)
    }

    private func pairs(_ row: Row, mask: UInt64, before: Row?) -> String {
        var texts: [String] = []
        for (ordinal, field) in kind.definition.fields.enumerated() where mask >> UInt64(ordinal) & 1 == 1 {
            var text = "\(output.paint(field.name, .dim)) \(valueText(row[ordinal: ordinal], of: field))"
            if let before { text += " (was \(valueText(before[ordinal: ordinal], of: field)))" }
            texts.append(text)
        }
        return texts.joined(separator: ", ")
    }
}

extension Change.What {
    fileprivate var name: String {
        switch self {
        case .created: "created"
        case .updated: "updated"
        case .snapshot: "snapshot"
        case .deleted: "deleted"
        }
    }

    fileprivate var colour: Output.Colour {
        switch self {
        case .created: .green
        case .updated: .yellow
        case .snapshot: .cyan
        case .deleted: .red
        }
    }
}

extension DeletedReason? {
    fileprivate var name: String {
        switch self {
        case .catchUp: "catch_up"
        case .retract: "retract"
        case .epoch: "epoch"
        case .liveness: "liveness"
        case .admin: "admin"
        case nil: "unknown"
        }
    }
}
