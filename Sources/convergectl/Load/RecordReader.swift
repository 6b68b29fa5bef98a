import ConvergeClient
import ConvergeJSON

/// A record of the input, ready to be asserted.
struct LoadRecord {
    let id: EntityID
    let values: [(name: String, value: Value)]
    /// Where it begins, from 1.
    let line: Int
}

/// The input is wrong here.
struct InputFault: Error {
    let line: Int
    let sentence: String
}

/// Cuts the bytes of a file into records of a kind: CSV, or JSON objects a line when the first character is `{`.
struct RecordReader {
    private enum Form {
        case unknown([UInt8])
        case csv(CSVRecords)
        case lines(JSONLines)
    }

    private let kind: Kind
    private let idColumns: IDColumns?
    private var form = Form.unknown([])

    init(_ kind: Kind, _ idColumns: IDColumns?) {
        self.kind = kind
        self.idColumns = idColumns
    }

    /// Columns of CSV that are no fields of the kind, once the header is known.
    var ignoredColumns: [String] {
        if case .csv(let records) = form { records.ignored } else { [] }
    }

    /// The records that these bytes end. Throws `InputFault`; `records` has those before it.
    mutating func feed(_ piece: [UInt8], into records: inout [LoadRecord]) throws {
        switch form {
        case .unknown(let before):
            let bytes = before + piece
            let blank: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
            let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
            guard let first = bytes[start...].first(where: { !blank.contains($0) }) else {
                form = .unknown(bytes.count > 1 << 20 ? [] : bytes)
                return
            }
            guard first != UInt8(ascii: "[") else {
                throw InputFault(
                    line: 1,
                    sentence: "the input is a JSON array: give its objects one a line, as jq -c '.[]' FILE prints them")
            }
            form = first == UInt8(ascii: "{") ? .lines(JSONLines(kind, idColumns)) : .csv(try csv())
            try feed(Array(bytes[start...]), into: &records)
        case .csv(var csv):
            form = .unknown([])
            defer { form = .csv(csv) }
            try csv.feed(piece, into: &records)
        case .lines(var lines):
            form = .unknown([])
            defer { form = .lines(lines) }
            try lines.feed(piece, into: &records)
        }
    }

    /// The end of the input.
    mutating func finish(into records: inout [LoadRecord]) throws {
        switch form {
        case .unknown:
            guard idColumns != nil else { return }  // an export of no entities
            throw InputFault(line: 1, sentence: "the input is empty: CSV begins with a line that names the columns")
        case .csv(var csv): try csv.finish(into: &records)
        case .lines(var lines): try lines.finish(into: &records)
        }
    }

    private func csv() throws -> CSVRecords {
        guard let idColumns else {
            throw CommandFailure(.usage, "CSV needs --id COLUMN[,COLUMN]: the columns that make an entity's id")
        }
        return CSVRecords(kind, idColumns)
    }
}

/// CSV with a header. Columns with the name of a field are taken, empty ones leave it zero.
private struct CSVRecords {
    private struct Header {
        let names: [String]
        let ids: [Int]
        /// Column and ordinal of its field.
        let fields: [(column: Int, ordinal: Int)]
    }

    private let kind: Kind
    private let idColumns: IDColumns
    private var reader = CSVReader()
    private var header: Header?
    private(set) var ignored: [String] = []

    init(_ kind: Kind, _ idColumns: IDColumns) {
        self.kind = kind
        self.idColumns = idColumns
    }

    mutating func feed(_ piece: [UInt8], into records: inout [LoadRecord]) throws {
        var reader = reader
        defer { self.reader = reader }
        do {
            try reader.feed(piece) { try take($0, $1, &records) }
        } catch let failure as CSVReader.Failure {
            throw InputFault(line: failure.line, sentence: failure.sentence)
        }
    }

    mutating func finish(into records: inout [LoadRecord]) throws {
        var reader = reader
        do {
            try reader.finish { try take($0, $1, &records) }
        } catch let failure as CSVReader.Failure {
            throw InputFault(line: failure.line, sentence: failure.sentence)
        }
    }

    private mutating func take(_ columns: [String], _ line: Int, _ records: inout [LoadRecord]) throws {
        guard let header else {
            header = try makeHeader(columns, line)
            return
        }
        guard columns.count == header.names.count else {
            throw InputFault(
                line: line,
                sentence: "the record has \(columns.count) column\(columns.count == 1 ? "" : "s"), "
                    + "the header \(header.names.count): quote fields with commas"
            )
        }
        do {
            let id = try idColumns.id(header.ids.map { columns[$0] })
            var values: [(name: String, value: Value)] = []
            for (column, ordinal) in header.fields {
                let field = kind.layout.fields[ordinal]
                guard let value = try FieldText.value(columns[column], of: field) else { continue }
                values.append((field.name, value))
            }
            records.append(LoadRecord(id: id, values: values, line: line))
        } catch let fault as LoadFault {
            throw InputFault(line: line, sentence: fault.sentence)
        } catch let error as SchemaError {
            throw InputFault(line: line, sentence: error.description)
        }
    }

    private mutating func makeHeader(_ names: [String], _ line: Int) throws -> Header {
        if names.count == 1, let other = [";", "\t"].first(where: names[0].contains) {
            let name = other == ";" ? "';'" : "tabs"
            throw InputFault(
                line: line, sentence: "the header is one column, with \(name) in it: separate columns by commas")
        }
        var seen = Set<String>()
        for name in names where !seen.insert(name).inserted {
            throw InputFault(line: line, sentence: "the header names '\(name)' twice: rename one")
        }
        let ids = try idColumns.names.map { name in
            guard let index = names.firstIndex(of: name) else {
                let hint = nearest(to: name, among: names).map { "; did you mean '\($0)'?" } ?? ""
                throw InputFault(line: line, sentence: "the header has no column '\(name)', which --id names\(hint)")
            }
            return index
        }
        var fields: [(column: Int, ordinal: Int)] = []
        for (index, name) in names.enumerated() {
            if let ordinal = kind.layout.ordinal(of: name) {
                fields.append((index, ordinal))
            } else if !ids.contains(index) {
                ignored.append(name)
            }
        }
        guard !fields.isEmpty else {
            throw InputFault(
                line: line,
                sentence:
                    "no column has the name of a field of '\(kind.name)': the first line names \(Self.list(names)), the "
                    + "fields are \(Self.list(kind.layout.fields.map(\.name)))\(hint(names.filter { !idColumns.names.contains($0) }))"
            )
        }
        return Header(names: names, ids: ids, fields: fields)
    }

    private static let listed = 12

    private static func list(_ names: [String]) -> String {
        names.prefix(listed).map(Sentence.quote).joined(separator: ", ") + (names.count > listed ? ", …" : "")
    }

    /// The first column that is nearly a field: in another case, with spaces around it, or mistyped.
    private func hint(_ columns: [String]) -> String {
        let fields = kind.layout.fields.map(\.name)
        for column in columns.prefix(SchemaLimits.fields) where column.utf8.count <= SchemaLimits.nameBytes {
            let plain = column.split(separator: " ").joined(separator: " ").lowercased()
            guard let near = nearest(to: plain, among: fields.map { $0.lowercased() }),
                let field = fields.first(where: { $0.lowercased() == near })
            else { continue }
            return "; rename \(Sentence.quote(column)) to '\(field)'?"
        }
        return ""
    }
}
