import ConvergeSchema

/// A field's value as text: a column of CSV, or the inside of a JSON string.
public enum FieldText {
    /// The value that `text` says, for a column of CSV.
    ///
    /// Integers are decimal digits with an optional sign; zeros in front are allowed. Floats also `nan`, `inf`, `-inf`.
    /// Bools are `true`, `false`, `1`, `0`. Strings are taken as they are. Bytes are `hex:` and two digits a byte.
    /// Arrays and structs are their JSON.
    /// - Returns: nil for empty text: the field is not given.
    /// - Throws: `outOfRange`, `wrongType`, `valueTooLong`, `unknownField`, `duplicateField`.
    public static func value(_ text: String, of field: FieldDefinition) throws(SchemaError) -> Value? {
        if text.isEmpty { return nil }
        let slot = Slot(field)
        switch field.type {
        case .bool: return try bool(text, of: slot)
        case .array, .structure: return try json(text, of: slot)
        default: return try value(text, of: slot)
        }
    }

    /// The value of text that is no bool, array or struct.
    static func value(_ text: String, of slot: Slot) throws(SchemaError) -> Value {
        switch slot.type {
        case .f32, .f64: return try float(text, of: slot)
        case .string, .varstring:
            guard text.utf8.count <= slot.max else { throw slot.tooLong(text.utf8.count) }
            return .string(text)
        case .bytes, .varbytes: return .bytes(try bytes(text, of: slot))
        default: return try integer(text, of: slot)
        }
    }

    /// The inverse of `value(_:of:)`: what a column of CSV holds, before quoting.
    public static func text(_ value: Value, of field: FieldDefinition) -> String {
        switch value {
        case .unsigned(let number): return String(number)
        case .signed(let number): return String(number)
        case .float(let number): return field.type == .f32 ? Float(number).description : number.description
        case .bool(let flag): return flag ? "true" : "false"
        case .string(let text): return text
        case .bytes(let bytes):
            var text = Array("hex:".utf8)
            for byte in bytes { text += [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]] }
            return String(decoding: text, as: UTF8.self)
        case .array, .structure:
            var writer = JSONWriter()
            writer.value(value, of: field)
            return writer.text
        }
    }

    private static func json(_ text: String, of slot: Slot) throws(SchemaError) -> Value {
        do throws(JSONInputError) {
            var reader = try JSONReader(Array(text.utf8))
            let value = try reader.readValue(of: slot)
            try reader.finish()
            return value
        } catch {
            if let code = error.code { throw SchemaError(code, error.message, field: slot.field.name) }
            throw SchemaError(
                .wrongType, "\(slot.expectation), written as JSON; \(error.message)", field: slot.field.name)
        }
    }

    static func integer(_ text: String, of slot: Slot) throws(SchemaError) -> Value {
        let isNegative = text.utf8.first == UInt8(ascii: "-")
        let hasSign = isNegative || text.utf8.first == UInt8(ascii: "+")
        let digits = hasSign ? text.dropFirst() : text[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            throw slot.wrongType("a whole number", but: text)
        }
        let magnitude = UInt128(digits)
        if let max = slot.type.unsignedMax {
            guard let magnitude, magnitude <= max, !isNegative || magnitude == 0 else { throw slot.doesNotFit(text) }
            return .unsigned(magnitude)
        }
        guard let magnitude, magnitude <= UInt128(Int64.max) + 1, let range = slot.type.signedRange else {
            throw slot.doesNotFit(text)
        }
        let number = isNegative ? -Int128(magnitude) : Int128(magnitude)
        guard number >= range.lowerBound, number <= range.upperBound else { throw slot.doesNotFit(text) }
        return .signed(Int64(number))
    }

    static func float(_ text: String, of slot: Slot) throws(SchemaError) -> Value {
        switch text {
        case "nan": return .float(.nan)
        case "inf": return .float(.infinity)
        case "-inf": return .float(-.infinity)
        default: break
        }
        let allowed = Array("0123456789+-.eE".utf8)
        guard text.utf8.allSatisfy(allowed.contains), let double = Double(text) else {
            throw slot.wrongType("a number", but: text)
        }
        guard slot.type == .f32 else {
            guard double.isFinite else { throw slot.doesNotFit(text) }
            return .float(double)
        }
        guard let single = Float(text), single.isFinite else { throw slot.doesNotFit(text) }
        return .float(Double(single))
    }

    static func bytes(_ text: String, of slot: Slot) throws(SchemaError) -> [UInt8] {
        let utf8 = Array(text.utf8)
        guard utf8.starts(with: "hex:".utf8), utf8.count % 2 == 0 else { throw slot.notHex(text) }
        guard (utf8.count - 4) / 2 <= slot.max else { throw slot.tooLong((utf8.count - 4) / 2) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity((utf8.count - 4) / 2)
        for index in stride(from: 4, to: utf8.count, by: 2) {
            guard let high = hexDigit(utf8[index]), let low = hexDigit(utf8[index + 1]) else {
                throw slot.notHex(text)
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func bool(_ text: String, of slot: Slot) throws(SchemaError) -> Value {
        switch text {
        case "true", "1": return .bool(true)
        case "false", "0": return .bool(false)
        default: throw slot.wrongType("true, false, 1 or 0", but: text)
        }
    }
}

extension Slot {
    fileprivate func wrongType(_ wanted: String, but text: String) -> SchemaError {
        SchemaError(.wrongType, "\(expectation); \(Sentence.quote(text)) is not \(wanted)", field: field.name)
    }

    fileprivate func notHex(_ text: String) -> SchemaError {
        SchemaError(
            .wrongType, "\(expectation), written as hex: and two digits a byte; \(Sentence.quote(text)) is not that",
            field: field.name)
    }
}
