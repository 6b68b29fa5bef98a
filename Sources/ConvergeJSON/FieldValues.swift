import ConvergeSchema

/// Values of a kind's fields from a JSON object, and back.
public enum FieldValues {
    /// Parses `{ "status": "on time", "delay_minutes": 3 }`; the result is what `KindLayout.encodeRow` and
    /// `encodePatch` take. Fields that are left out are zero in an ASSERT and untouched by a PATCH; null is refused.
    /// - Parameters:
    ///   - file: named by errors; nil for JSON from a command line.
    ///   - line: line of the file that `json` begins with.
    /// - Throws: malformed JSON, an unknown field (with the nearest name), a field given twice, a value that the field
    ///   does not take.
    public static func parse(
        _ json: [UInt8], for layout: KindLayout, file: String? = nil, line: Int = 1
    ) throws(JSONInputError) -> [(name: String, value: Value)] {
        try parseRecord(json, for: layout, columns: [], file: file, line: line).values
    }

    /// As `parse`, for a record that also holds what its id is made of.
    /// - Parameter columns: keys whose text is wanted: strings as they are, numbers and bools as they are written. Such
    ///   a key may also be a field, and need not be one.
    /// - Returns: the text of each column, nil if the record does not have it, and the values of the fields.
    public static func parseRecord(
        _ json: [UInt8], for layout: KindLayout, columns: [String], file: String? = nil, line: Int = 1
    ) throws(JSONInputError) -> (columns: [String?], values: [(name: String, value: Value)]) {
        var reader = try JSONReader(json, file: file, firstLine: line)
        let kind = try reader.next()
        guard kind == .object else {
            throw reader.error(
                at: reader.valueOffset,
                "the fields of kind '\(layout.definition.name)' are given as a JSON object, not \(kind.article)",
                code: .wrongType)
        }
        var texts = [String?](repeating: nil, count: columns.count)
        var values: [(name: String, value: Value)] = []
        var given: UInt64 = 0
        try reader.readObject { (reader, key, keyOffset) throws(JSONInputError) in
            let column = columns.firstIndex(of: key)
            if let column {
                let before = reader
                guard texts[column] == nil else { throw reader.twice(key, keyOffset) }
                texts[column] = try reader.readText(key)
                if layout.ordinal(of: key) == nil { return }
                reader = before
            }
            let ordinal: Int
            do throws(SchemaError) {
                ordinal = try layout.requireOrdinal(of: key)
            } catch {
                throw reader.error(at: keyOffset, error.description, code: error.code)
            }
            guard given & 1 << UInt64(ordinal) == 0 else { throw reader.twice(key, keyOffset) }
            given |= 1 << UInt64(ordinal)
            values.append((key, try reader.readValue(of: Slot(layout.fields[ordinal]))))
        }
        try reader.finish()
        return (texts, values)
    }
}

extension JSONReader {
    /// Reads the value of a field, an element or a member.
    mutating func readValue(of slot: Slot) throws(JSONInputError) -> Value {
        let kind = try next()
        let start = valueOffset
        let text: String
        switch (slot.type, kind) {
        case (_, .null): throw refused(slot.wrongType("null: leave the field out to give no value"), start)
        case (.bool, .bool): return .bool(try readBool())
        case (.array, .array): return try readElements(of: slot)
        case (.structure, .object): return try readMembers(of: slot)
        case (.string, .string), (.bytes, .string), (.varstring, .string), (.varbytes, .string):
            text = try readString()
        case (.bool, _), (.string, _), (.bytes, _), (.varstring, _), (.varbytes, _), (.array, _), (.structure, _):
            throw refused(slot.wrongType(kind.article), start)
        case (_, .number): text = try readNumber().text
        case (_, .string): text = try readString()
        default: throw refused(slot.wrongType(kind.article), start)
        }
        do throws(SchemaError) {
            return try FieldText.value(text, of: slot)
        } catch {
            throw refused(error, start)
        }
    }

    private mutating func readElements(of slot: Slot) throws(JSONInputError) -> Value {
        let start = valueOffset
        var elements: [Value] = []
        var count = 0
        try readArray { (reader, index) throws(JSONInputError) in
            count = index + 1
            if index < slot.max {
                elements.append(try reader.readValue(of: slot.element(index)))
            } else {
                _ = try reader.readValue()
            }
        }
        guard count <= slot.max else { throw refused(slot.tooLong(count), start) }
        return .array(elements)
    }

    private mutating func readMembers(of slot: Slot) throws(JSONInputError) -> Value {
        var members: [String: Value] = [:]
        try readObject { (reader, key, keyOffset) throws(JSONInputError) in
            let ordinal: Int
            do throws(SchemaError) {
                ordinal = try slot.requireMember(key)
            } catch {
                throw reader.refused(error, keyOffset)
            }
            guard members[key] == nil else { throw reader.twice(key, keyOffset) }
            members[key] = try reader.readValue(of: slot.member(ordinal))
        }
        return .structure(members)
    }

    /// Reads a string, number or bool as text.
    fileprivate mutating func readText(_ key: String) throws(JSONInputError) -> String {
        switch try next() {
        case .string: return try readString()
        case .number: return try readNumber().text
        case .bool: return try readBool() ? "true" : "false"
        case let kind:
            throw error(
                at: valueOffset,
                "\(Sentence.quote(key)) is part of the id and takes a string or number, not \(kind.article)",
                code: .wrongType)
        }
    }

    private func refused(_ error: SchemaError, _ offset: Int) -> JSONInputError {
        self.error(at: offset, error.description, code: error.code)
    }

    fileprivate func twice(_ key: String, _ offset: Int) -> JSONInputError {
        error(at: offset, "\(Sentence.quote(key)) is given twice: give it once", code: .duplicateField)
    }
}

extension JSONWriter {
    /// A field's value: integers in full, f32 and f64 as the shortest text that reads back the same (nan and the
    /// infinities as the strings `nan`, `inf`, `-inf`), bytes as a string `hex:…`, structs as objects with their members in
    /// the order of the definition.
    public mutating func value(_ value: Value, of field: FieldDefinition) {
        if case .array(let elements) = value {
            beginArray()
            for element in elements { self.value(element, field.element ?? .u8, field.members) }
            endArray()
        } else {
            self.value(value, field.type, field.members)
        }
    }

    private mutating func value(_ value: Value, _ type: FieldType, _ members: [MemberDefinition]) {
        switch value {
        case .unsigned(let number):
            if number <= UInt128(UInt64.max) { integer(UInt64(truncatingIfNeeded: number)) } else { integer(number) }
        case .signed(let number): integer(number)
        case .float(let number): if type == .f32 { float(Float(number)) } else { double(number) }
        case .bool(let flag): bool(flag)
        case .string(let text): string(text)
        case .bytes(let bytes): hex(bytes)
        case .array: preconditionFailure("an array inside of a field's value")
        case .structure(let values):
            beginObject()
            for member in members {
                guard let value = values[member.name] else { continue }
                key(member.name)
                self.value(value, member.type, [])
            }
            endObject()
        }
    }

    /// A row as an object with every field, in ordinal order.
    /// - Precondition: `data` has at least the fixed zone of the layout.
    public mutating func row(_ data: RawSpan, _ layout: KindLayout) { row(layout.decodeRow(data), layout) }

    /// As `row(_: RawSpan, _:)`.
    public mutating func row(_ data: [UInt8], _ layout: KindLayout) { row(data.span.bytes, layout) }

    /// As `row(_: RawSpan, _:)`, of values in ordinal order.
    public mutating func row(_ values: [Value], _ layout: KindLayout) {
        beginObject()
        for (field, value) in zip(layout.fields, values) {
            key(field.name)
            self.value(value, of: field)
        }
        endObject()
    }
}
