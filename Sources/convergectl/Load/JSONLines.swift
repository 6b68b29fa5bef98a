import ConvergeClient
import ConvergeJSON

/// A JSON object a line: the fields, and what `--id` names; or, without `--id`, lines as `export` prints them.
struct JSONLines {
    private static let lineBytesMax = 4 << 20

    private let kind: Kind
    private let idColumns: IDColumns?
    private var rest: [UInt8] = []
    private var line = 1

    init(_ kind: Kind, _ idColumns: IDColumns?) {
        self.kind = kind
        self.idColumns = idColumns
    }

    mutating func feed(_ piece: [UInt8], into records: inout [LoadRecord]) throws {
        var start = piece.startIndex
        while let end = piece[start...].firstIndex(of: UInt8(ascii: "\n")) {
            rest += piece[start..<end]
            start = end + 1
            try take(&records)
        }
        rest += piece[start...]
        guard rest.count <= Self.lineBytesMax else {
            throw InputFault(
                line: line, sentence: "the line is longer than \(Self.lineBytesMax) bytes: put one object on each line")
        }
    }

    mutating func finish(into records: inout [LoadRecord]) throws {
        try take(&records)
    }

    private mutating func take(_ records: inout [LoadRecord]) throws {
        let text = rest
        let number = line
        rest.removeAll(keepingCapacity: true)
        line += 1
        guard text.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) else { return }
        do {
            records.append(try record(text, number))
        } catch let error as JSONInputError {
            throw InputFault(line: number, sentence: error.message)
        } catch let fault as LoadFault {
            throw InputFault(line: number, sentence: fault.sentence)
        } catch let error as EntityIDError {
            throw InputFault(line: number, sentence: error.description)
        }
    }

    private func record(_ text: [UInt8], _ number: Int) throws -> LoadRecord {
        if let idColumns {
            let parsed = try FieldValues.parseRecord(text, for: kind.layout, columns: idColumns.names)
            return LoadRecord(id: try idColumns.id(parsed.columns), values: parsed.values, line: number)
        }
        let document = try JSONValue(parsing: text)
        guard let id = document["id"]?.string, let fields = document["fields"], fields.members != nil else {
            throw LoadFault(
                "without --id each line needs an 'id' and an object 'fields', as 'export' prints them: give --id COLUMN[,COLUMN]"
            )
        }
        let values = try FieldValues.parse(fields.bytes, for: kind.layout)
        return LoadRecord(id: try EntityID.parse(id), values: values, line: number)
    }
}
