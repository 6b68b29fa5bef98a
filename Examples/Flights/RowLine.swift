import ConvergeClient
import ConvergeJSON
import Glibc

/// One row as a line that can be compared: the line of `convergectl export`, rows sorted by id.
struct RowLine: Comparable {
    var id: String
    /// 0 where it is not known: the day's record says nothing about versions.
    var version: UInt64
    var sourceSet: UInt64
    /// Name and JSON text of each field, in the order of the kind.
    var fields: [(name: String, text: String)]

    init(_ id: EntityID, _ entity: Mirror.Entity, _ kind: Kind) {
        self.id = id.description
        version = entity.version
        sourceSet = entity.sourceSet
        var writer = JSONWriter()
        writer.row(entity.bytes, kind.layout)
        fields = (try? JSONValue(parsing: writer.bytes))?.members?.map { ($0.key, $0.value.description) } ?? []
    }

    /// A line of `convergectl export`, or one written by `line`.
    init(parsing line: String) throws {
        let object = try JSONValue(parsing: Array(line.utf8))
        guard let id = object["id"]?.string, let version: UInt64 = object["version"]?.integer(),
            let sourceSet: UInt64 = object["source_set"]?.integer(), let members = object["fields"]?.members
        else { throw FlightFileError(description: "not a row: \(line)") }
        self.id = id
        self.version = version
        self.sourceSet = sourceSet
        fields = members.map { ($0.key, $0.value.description) }
    }

    /// What the day's record says the row must be in the end; nil for a flight that never left.
    init?(expecting flight: Flight) {
        guard flight.givenUpAt == nil else { return nil }
        id = flight.id
        version = 0
        sourceSet = 1 << 1 | (flight.leftAt == nil ? 0 : 1 << 2) | (flight.landedAt == nil ? 0 : 1 << 3)
        func text(_ name: String, _ value: String) -> (name: String, text: String) {
            (name, JSONValue.string(value).description)
        }
        func number(_ name: String, _ value: Int?) -> (name: String, text: String) { (name, String(value ?? 0)) }
        fields = [
            text("destination", flight.destination), text("tail", flight.tail),
            number("scheduled_departure", flight.scheduledDeparture),
            number("scheduled_arrival", flight.scheduledArrival), number("distance", flight.distance),
            number("departure", flight.departure), number("departure_delay", flight.departureDelay),
            number("arrival", flight.landedAt == nil ? nil : flight.arrival),
            number("arrival_delay", flight.landedAt == nil ? nil : flight.arrivalDelay),
            number("air_time", flight.airTime),
        ]
    }

    var line: String {
        let inner = fields.map { "\(JSONValue.string($0.name).description):\($0.text)" }.joined(separator: ",")
        return
            "{\"id\":\(JSONValue.string(id).description),\"version\":\(version),\"source_set\":\(sourceSet),\"fields\":{\(inner)}}"
    }

    /// What differs from another row with the same id; nil: nothing. Versions count only where both are known.
    func difference(from other: RowLine) -> String? {
        if version != 0, other.version != 0, version != other.version {
            return "version \(version), not \(other.version)"
        }
        if sourceSet != other.sourceSet { return "source set \(sourceSet), not \(other.sourceSet)" }
        if fields.map(\.name) != other.fields.map(\.name) { return "other fields" }
        for (mine, theirs) in zip(fields, other.fields) where mine.text != theirs.text {
            return "\(mine.name) \(mine.text), not \(theirs.text)"
        }
        return nil
    }

    static func < (left: RowLine, right: RowLine) -> Bool { left.id < right.id }
    static func == (left: RowLine, right: RowLine) -> Bool {
        left.id == right.id && left.difference(from: right) == nil
    }
}

private var lastError: String { String(cString: strerror(errno)) }

func writeRows(_ rows: [RowLine], to file: String) throws {
    let text = rows.sorted().map { $0.line + "\n" }.joined()
    guard let out = fopen(file, "w") else {
        throw FlightFileError(description: "cannot write \(file): \(lastError)")
    }
    let written = fwrite(text, 1, text.utf8.count, out)
    guard fclose(out) == 0, written == text.utf8.count else {
        throw FlightFileError(description: "cannot write \(file)")
    }
}

func readText(_ file: String) throws -> String {
    guard let input = fopen(file, "r") else {
        throw FlightFileError(description: "cannot read \(file): \(lastError)")
    }
    defer { fclose(input) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while case let count = fread(&buffer, 1, buffer.count, input), count > 0 { bytes += buffer[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

/// Compares files of rows with what the day's record says, and with each other: every row, every field, versions too.
/// Prints what differs. Returns whether nothing does.
func compareRows(_ files: [String], with flights: [Flight]) throws -> Bool {
    let expected = flights.compactMap(RowLine.init(expecting:)).sorted()
    let all = try files.map { file in
        (file, rows: try readText(file).split(separator: "\n").map { try RowLine(parsing: String($0)) }.sorted())
    }
    guard let first = all.first else { throw FlightFileError(description: "nothing to compare") }
    var differences = 0
    func compare(_ name: String, _ rows: [RowLine], with other: [RowLine], _ otherName: String) {
        let theirs = Dictionary(other.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let mine = Dictionary(rows.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        func differs(_ text: String) {
            differences += 1
            if differences <= 20 { print("\(name): \(text)") }
        }
        if rows.count != mine.count { differs("an id stands there twice") }
        for row in rows {
            guard let their = theirs[row.id] else {
                differs("\(row.id) is not in \(otherName)")
                continue
            }
            if let difference = row.difference(from: their) { differs("\(row.id): \(difference) as in \(otherName)") }
        }
        for row in other where mine[row.id] == nil { differs("\(row.id) of \(otherName) is missing") }
    }
    for (file, rows) in all {
        compare(file, rows, with: expected, "the day's record")
        compare(file, rows, with: first.rows, first.0)
    }
    guard differences == 0 else {
        print("mirrors differ: \(differences) differences")
        return false
    }
    print("mirrors equal: \(expected.count) flights")
    return true
}
