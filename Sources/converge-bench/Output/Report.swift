import ConvergeJSON

/// What a run found, in the order it is printed: once as JSON, every key there and null where it means nothing, once as a
/// table without what means nothing.
struct Report {
    private struct Row {
        let key: String
        let label: String
        let value: JSONValue
    }

    private var rows: [Row] = []

    mutating func add(_ key: String, _ label: String, _ value: Int?) {
        rows.append(Row(key: key, label: label, value: value.map { .integer($0) } ?? .null))
    }

    mutating func add(_ key: String, _ label: String, _ value: String) {
        rows.append(Row(key: key, label: label, value: .string(value)))
    }

    /// Rounded to `digits` behind the point.
    mutating func add(_ key: String, _ label: String, _ value: Double?, digits: Int) {
        var unit = 1.0
        for _ in 0..<digits { unit *= 10 }
        rows.append(Row(key: key, label: label, value: value.map { .double(($0 * unit).rounded() / unit) } ?? .null))
    }

    /// One object on one line.
    var json: String { JSONValue.object(rows.map { JSONValue.Member($0.key, $0.value) }).description }

    var table: String {
        let shown = rows.filter { $0.value != .null }.map { ($0.label, Self.text($0.value)) }
        let width = shown.map { $0.0.count }.max() ?? 0
        let valueWidth = shown.map { $0.1.count }.max() ?? 0
        return shown.map { label, value in
            label + String(repeating: " ", count: width - label.count + 2 + valueWidth - value.count) + value
        }.joined(separator: "\n")
    }

    private static func text(_ value: JSONValue) -> String {
        if let integer: Int = value.integer() { return grouped(integer) }
        return value.string ?? "\(value)"
    }
}

/// With a comma between thousands.
func grouped(_ number: Int) -> String {
    var text = ""
    let digits = String(number)
    for (index, digit) in digits.enumerated() {
        if index > 0, digit != "-", (digits.count - index) % 3 == 0, text != "-" { text.append(",") }
        text.append(digit)
    }
    return text
}
