extension EntityID {
    /// 1 to 32 bytes of UTF-8 without NUL, zero-padded.
    public static func text(_ text: String) throws(EntityIDError) -> EntityID {
        let bytes = text.utf8
        guard !bytes.isEmpty else {
            throw EntityIDError("a text id needs at least one byte; the text is empty")
        }
        guard bytes.count <= EntityID.bytes else {
            throw EntityIDError(
                "a text id holds at most 32 bytes of UTF-8; this one has \(bytes.count): shorten it, or use str: (its SHA-256)"
            )
        }
        guard !bytes.contains(0) else {
            throw EntityIDError("a text id cannot contain a NUL, which pads shorter ids: leave it out, or use hex:")
        }
        return EntityID(zeroPadding: bytes)
    }

    /// 8 bytes, little-endian, zero-padded.
    public static func int(_ value: UInt64) -> EntityID {
        EntityID(words: (value.littleEndian, 0, 0, 0))
    }

    /// 16 bytes in the order in which they are written, zero-padded. With or without the four hyphens.
    public static func uuid(_ text: String) throws(EntityIDError) -> EntityID {
        let hint = "a uuid id looks like uuid:123e4567-e89b-12d3-a456-426614174000"
        var digits = Array(text.utf8)
        if digits.count == 36 {
            for index in [23, 18, 13, 8] {
                guard digits[index] == UInt8(ascii: "-") else {
                    throw EntityIDError("\(hint); the hyphens of '\(text)' are not where they belong")
                }
                digits.remove(at: index)
            }
        }
        guard digits.count == 32 else {
            throw EntityIDError("\(hint), 32 hexadecimal digits with or without hyphens; got '\(text)'")
        }
        guard let bytes = hexBytes(digits) else {
            throw EntityIDError("\(hint); '\(text)' has a character that is not a hexadecimal digit")
        }
        return EntityID(zeroPadding: bytes)
    }

    /// All 32 bytes as 64 hexadecimal digits.
    public static func hex(_ text: String) throws(EntityIDError) -> EntityID {
        let digits = Array(text.utf8)
        guard digits.count == 2 * EntityID.bytes else {
            throw EntityIDError("a hex id has exactly 64 hexadecimal digits; got \(digits.count)")
        }
        guard let bytes = hexBytes(digits) else {
            throw EntityIDError("a hex id has only the digits 0-9 and a-f; '\(text)' has something else")
        }
        return EntityID(zeroPadding: bytes)
    }

    /// An id as it is typed: `text:`, `int:`, `uuid:`, `hex:` or `str:` and the value; anything else is text as it stands.
    /// `digest` makes the id of a `str:` value, its SHA-256, which this module cannot compute.
    public static func parse(_ text: String, digest: (String) -> EntityID) throws(EntityIDError) -> EntityID {
        guard let colon = text.firstIndex(of: ":"), let form = Form(rawValue: String(text[..<colon])) else {
            return try .text(text)
        }
        let value = String(text[text.index(after: colon)...])
        switch form {
        case .text: return try .text(value)
        case .str: return digest(value)
        case .int: return .int(try unsigned(value))
        case .uuid: return try .uuid(value)
        case .hex: return try .hex(value)
        }
    }

    enum Form: String { case text, str, int, uuid, hex }

    private static func unsigned(_ value: String) throws(EntityIDError) -> UInt64 {
        let digits = value.utf8
        let isNumber = !digits.isEmpty && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        if !isNumber, digits.first == UInt8(ascii: "-") {
            throw EntityIDError("an int id is not negative: it takes 0 to 18446744073709551615; got '\(value)'")
        }
        guard isNumber else {
            throw EntityIDError("an int id is a decimal number from 0 to 18446744073709551615; got '\(value)'")
        }
        guard let number = UInt64(value) else {
            throw EntityIDError("an int id takes 0 to 18446744073709551615 (8 bytes); \(value) does not fit")
        }
        return number
    }

    private static func hexBytes(_ digits: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = hexValue(digits[index]), let low = hexValue(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func hexValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension EntityID: CustomStringConvertible {
    /// What `parse` reads back: the text when the bytes are printable UTF-8 followed by zeros (with `text:` before it when
    /// it would be read as another form), else `hex:` and 64 digits.
    public var description: String {
        guard let text = printableText else { return hexDescription }
        let form = text.firstIndex(of: ":").flatMap { Form(rawValue: String(text[..<$0])) }
        return form == nil ? text : "text:" + text
    }

    private var printableText: String? {
        withBytes { (bytes: UnsafeRawBufferPointer) -> String? in
            let length = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
            guard length > 0, let text = String(validating: bytes[..<length], as: UTF8.self) else { return nil }
            let printable = text.unicodeScalars.allSatisfy { scalar in
                switch scalar.properties.generalCategory {
                case .control, .format, .lineSeparator, .paragraphSeparator: false
                default: true
                }
            }
            return printable ? text : nil
        }
    }

    private var hexDescription: String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("hex:".utf8)
        withBytes { bytes in
            for byte in bytes {
                text.append(digits[Int(byte >> 4)])
                text.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
