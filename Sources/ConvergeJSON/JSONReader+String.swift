extension JSONReader {
    /// Reads a string and resolves its escapes.
    public mutating func readString() throws(JSONInputError) -> String {
        _ = try next()
        guard bytes[offset] == UInt8(ascii: "\"") else { throw malformed("expected a string in double quotes") }
        offset += 1
        let start = offset
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                defer { offset += 1 }
                return try text(bytes[start..<offset], start)
            case UInt8(ascii: "\\"):
                return try readEscapedString(from: start)
            case 0..<0x20:
                throw malformed("a string holds line breaks, tabs and control characters only as escapes such as \\n")
            default: offset += 1
            }
        }
        throw malformed("the string is not closed: '\"' is missing")
    }

    /// Goes on at the first backslash of a string that began at `start`.
    private mutating func readEscapedString(from start: Int) throws(JSONInputError) -> String {
        var unescaped = Array(bytes[start..<offset])
        while offset < bytes.count {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                defer { offset += 1 }
                return try text(unescaped[...], start)
            case UInt8(ascii: "\\"):
                unescaped.append(contentsOf: try escape().utf8)
            case 0..<0x20:
                throw malformed("a string holds line breaks, tabs and control characters only as escapes such as \\n")
            default:
                unescaped.append(bytes[offset])
                offset += 1
            }
        }
        throw malformed("the string is not closed: '\"' is missing")
    }

    private mutating func text(_ raw: ArraySlice<UInt8>, _ start: Int) throws(JSONInputError) -> String {
        guard let text = String(validating: raw, as: UTF8.self) else {
            offset = start
            throw malformed("the string is not valid UTF-8")
        }
        return text
    }

    private mutating func escape() throws(JSONInputError) -> Character {
        guard offset + 1 < bytes.count else { throw malformed("the text ends inside an escape") }
        let letter = bytes[offset + 1]
        if letter == UInt8(ascii: "u") { return Character(try unicodeEscape()) }
        let scalar: Unicode.Scalar
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scalar = Unicode.Scalar(letter)
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        default: throw malformed("unknown escape: write \\\\ for a backslash")
        }
        offset += 2
        return Character(scalar)
    }

    /// `\uXXXX`, or two of them that are a surrogate pair.
    private mutating func unicodeEscape() throws(JSONInputError) -> Unicode.Scalar {
        let high = try hexUnit(at: offset)
        if let scalar = Unicode.Scalar(high) {
            offset += 6
            return scalar
        }
        guard high < 0xDC00, offset + 7 < bytes.count, bytes[offset + 6] == UInt8(ascii: "\\"),
            bytes[offset + 7] == UInt8(ascii: "u")
        else { throw malformed("half of a surrogate pair: both \\u escapes are needed") }
        let low = try hexUnit(at: offset + 6)
        guard (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
        else { throw malformed("half of a surrogate pair: both \\u escapes are needed") }
        offset += 12
        return scalar
    }

    private func hexUnit(at escape: Int) throws(JSONInputError) -> UInt32 {
        var unit: UInt32 = 0
        for index in escape + 2..<escape + 6 {
            guard index < bytes.count, let digit = hexDigit(bytes[index]) else {
                throw malformed("\\u takes four hexadecimal digits")
            }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}

/// The value of a hexadecimal digit.
func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
