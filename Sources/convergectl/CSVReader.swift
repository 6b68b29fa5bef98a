/// Cuts CSV into records as RFC 4180 says: fields separated by commas, records by LF or CRLF, a field in double quotes
/// may contain commas, line ends and quotes (doubled). Bytes are fed in pieces of any size; one record is held at a time.
struct CSVReader {
    struct Failure: Error {
        let line: Int
        let sentence: String
    }

    private enum Place {
        case fieldStart, plain, quoted, afterQuote
    }

    /// A record larger than this is refused: it is a missing closing quote.
    static let recordBytesMax = 4 << 20

    private var place = Place.fieldStart
    private var field: [UInt8] = []
    private var fields: [String] = []
    private var recordBytes = 0
    private var line = 1
    private var recordLine = 1
    private var sawReturn = false

    /// Takes bytes, and calls `record` for every record that they end, with the line it began on.
    mutating func feed(
        _ bytes: some Sequence<UInt8>, record: (_ fields: [String], _ line: Int) throws -> Void
    ) throws {
        for byte in bytes { try take(byte, record) }
    }

    /// The end of the input ends the last record, if there is one.
    mutating func finish(record: (_ fields: [String], _ line: Int) throws -> Void) throws {
        if place == .quoted {
            throw Failure(line: recordLine, sentence: "a quoted field is never closed: add the closing \" or double it")
        }
        if sawReturn { sawReturn = false }
        if !fields.isEmpty || !field.isEmpty || place != .fieldStart { try endRecord(record) }
    }

    private mutating func take(_ byte: UInt8, _ record: (_ fields: [String], _ line: Int) throws -> Void) throws {
        let newline = UInt8(ascii: "\n")
        let quote = UInt8(ascii: "\"")
        if sawReturn {
            sawReturn = false
            if byte == newline {
                line += 1
                return try endRecord(record)
            }
            throw Failure(line: line, sentence: "a carriage return stands alone: end lines with LF or CRLF")
        }
        recordBytes += 1
        if recordBytes > Self.recordBytesMax {
            throw Failure(
                line: recordLine,
                sentence: "a record is longer than \(Self.recordBytesMax) bytes: is a closing \" missing?")
        }
        switch (place, byte) {
        case (.quoted, quote): place = .afterQuote
        case (.quoted, _):
            if byte == newline { line += 1 }
            field.append(byte)
        case (.fieldStart, quote): place = .quoted
        case (.afterQuote, quote):
            field.append(byte)
            place = .quoted
        case (_, UInt8(ascii: ",")): try endField()
        case (_, newline):
            line += 1
            if place == .fieldStart && fields.isEmpty {  // an empty line is no record
                recordBytes = 0
                recordLine = line
            } else {
                try endRecord(record)
            }
        case (_, UInt8(ascii: "\r")):
            if place == .fieldStart && fields.isEmpty { recordBytes = 0 } else { sawReturn = true }
        case (.afterQuote, _):
            throw Failure(line: line, sentence: "text follows a closing quote: put the whole field in quotes")
        case (.plain, quote):
            throw Failure(
                line: line, sentence: "a quote stands inside an unquoted field: quote the field and double the quote")
        default:
            field.append(byte)
            place = .plain
        }
    }

    private mutating func endField() throws {
        guard let text = String(validating: field, as: UTF8.self) else {
            throw Failure(line: recordLine, sentence: "field \(fields.count + 1) is not valid UTF-8")
        }
        fields.append(text)
        field.removeAll(keepingCapacity: true)
        place = .fieldStart
    }

    private mutating func endRecord(_ record: (_ fields: [String], _ line: Int) throws -> Void) throws {
        try endField()
        let ended = fields
        let began = recordLine
        fields.removeAll(keepingCapacity: true)
        recordBytes = 0
        recordLine = line
        try record(ended, began)
    }
}
