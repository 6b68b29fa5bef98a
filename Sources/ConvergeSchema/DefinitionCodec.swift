// The binary definition of CREATE_KIND and KIND_INFO, little-endian, without padding:
//
//   format u8 = 1 | durability u8 | flags u8 (1 event stream) | schema u8 | name str16 | field_count u8, then per field
//   ordinal u8 | type u8 | on_retract u8 | 0 u8 | max u16 | 0 u16 | owners u64 | name str16, then of an array
//     element type u8 | 0 u8 | element max u16, then of a struct, or an array of them
//     member_count u8, then per member type u8 | 0 u8 | max u16 | name str16
//
// Ordinals are 0, 1, 2 … in order; str16 is a u16 length and as many bytes of UTF-8; nothing follows the last field.

extension KindDefinition {
    /// The binary definition. Of a definition that `validate()` refuses, bytes that are refused too.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = [1, durability.rawValue, eventStream ? 1 : 0, schema]
        appendString(name, to: &bytes)
        bytes.append(UInt8(clamping: fields.count))
        for (ordinal, field) in fields.enumerated() {
            bytes += [UInt8(clamping: ordinal), field.type.rawValue, field.onRetract.rawValue, 0]
            appendInteger(UInt16(clamping: field.max), to: &bytes)
            appendInteger(UInt16(0), to: &bytes)
            appendInteger(field.owners, to: &bytes)
            appendString(field.name, to: &bytes)
            if field.type == .array {
                bytes += [field.element?.rawValue ?? 0, 0]
                appendInteger(UInt16(clamping: field.elementMax), to: &bytes)
            }
            guard field.type == .structure || field.type == .array && field.element == .structure else { continue }
            bytes.append(UInt8(clamping: field.members.count))
            for member in field.members {
                bytes += [member.type.rawValue, 0]
                appendInteger(UInt16(clamping: member.max), to: &bytes)
                appendString(member.name, to: &bytes)
            }
        }
        return bytes
    }

    /// As `init(encoded: [UInt8])`.
    public init(encoded bytes: RawSpan) throws(SchemaError) {
        try self.init(encoded: bytes.withUnsafeBytes { Array($0) })
    }

    /// Decodes and validates a binary definition; the bytes may come from anyone.
    /// - Throws: `invalidDefinition` when the bytes are no definition, else what `validate()` throws.
    public init(encoded bytes: [UInt8]) throws(SchemaError) {
        var cursor = DefinitionCursor(bytes: bytes)
        let format = try cursor.integer(UInt8.self, "the format")
        guard format == 1 else { throw malformed("its format is \(format); this version knows format 1") }
        let durabilityByte = try cursor.integer(UInt8.self, "the durability")
        guard let durability = Durability(rawValue: durabilityByte) else {
            throw malformed("its durability is \(durabilityByte); 0 is durable and 1 ephemeral", .durability)
        }
        let flags = try cursor.integer(UInt8.self, "the flags")
        guard flags <= 1 else { throw malformed("its flags are \(flags); only 1 (event stream) is known") }
        let schema = try cursor.integer(UInt8.self, "the schema version")
        let name = try cursor.string("the kind's name")
        let count = try cursor.integer(UInt8.self, "the number of fields")
        var fields: [FieldDefinition] = []
        fields.reserveCapacity(Int(count))
        for ordinal in 0..<Int(count) {
            fields.append(try cursor.field(ordinal: ordinal))
        }
        guard cursor.offset == bytes.count else {
            throw malformed("\(bytes.count - cursor.offset) bytes follow the last field")
        }
        self.init(
            name: name, durability: durability, eventStream: flags & 1 != 0, schema: schema, fields: fields)
        try validate()
    }
}

private func malformed(_ what: String, _ part: SchemaError.Part? = nil, field: Int? = nil) -> SchemaError {
    SchemaError(.invalidDefinition, "the binary definition is malformed: \(what)", ordinal: field, part: part)
}

private func appendInteger(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
}

private func appendString(_ text: String, to bytes: inout [UInt8]) {
    let count = UInt16(clamping: text.utf8.count)
    appendInteger(count, to: &bytes)
    bytes.append(contentsOf: text.utf8.prefix(Int(count)))
}

/// Reads a definition front to back; every read checks what is left.
private struct DefinitionCursor {
    let bytes: [UInt8]
    var offset = 0

    mutating func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, _ what: String) throws(SchemaError) -> T {
        guard bytes.count - offset >= MemoryLayout<T>.size else { throw malformed("it ends before \(what)") }
        defer { offset += MemoryLayout<T>.size }
        return bytes.withUnsafeBytes {
            T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
    }

    mutating func string(_ what: String) throws(SchemaError) -> String {
        let count = Int(try integer(UInt16.self, what))
        guard bytes.count - offset >= count else { throw malformed("it ends inside \(what)") }
        defer { offset += count }
        guard let text = String(validating: bytes[offset..<offset + count], as: UTF8.self) else {
            throw malformed("\(what) is not valid UTF-8")
        }
        return text
    }

    mutating func field(ordinal: Int) throws(SchemaError) -> FieldDefinition {
        let what = "field \(ordinal)"
        let written = try integer(UInt8.self, what)
        guard Int(written) == ordinal else {
            throw malformed("the ordinal of \(what) is \(written); ordinals are 0, 1, 2 … in order", field: ordinal)
        }
        let type = try type(what, ordinal, .type)
        let retractByte = try integer(UInt8.self, "on_retract of \(what)")
        guard let onRetract = OnRetract(rawValue: retractByte) else {
            throw malformed(
                "on_retract of \(what) is \(retractByte); 0 is keep and 1 clear", .onRetract, field: ordinal)
        }
        try reserved(UInt8.self, what, ordinal)
        let max = try integer(UInt16.self, "the max of \(what)")
        try reserved(UInt16.self, what, ordinal)
        let owners = try integer(UInt64.self, "the owners of \(what)")
        let name = try string("the name of \(what)")
        var field = FieldDefinition(name: name, type: type, max: Int(max), owners: owners, onRetract: onRetract)
        if type == .array {
            field.element = try self.type("the elements of \(what)", ordinal, .elementType)
            try reserved(UInt8.self, "the elements of \(what)", ordinal)
            field.elementMax = Int(try integer(UInt16.self, "the max of the elements of \(what)"))
        }
        guard type == .structure || field.element == .structure else { return field }
        for index in 0..<Int(try integer(UInt8.self, "the number of members of \(what)")) {
            let what = "member \(index) of \(what)"
            let type = try self.type(what, ordinal, .memberType)
            try reserved(UInt8.self, what, ordinal)
            let max = try integer(UInt16.self, "the max of \(what)")
            field.members.append(MemberDefinition(name: try string("the name of \(what)"), type: type, max: Int(max)))
        }
        return field
    }

    private mutating func type(
        _ what: String, _ ordinal: Int, _ part: SchemaError.Part
    ) throws(SchemaError) -> FieldType {
        let byte = try integer(UInt8.self, "the type of \(what)")
        guard let type = FieldType(rawValue: byte) else {
            throw malformed("the type of \(what) is \(byte); types are 1 to 18", part, field: ordinal)
        }
        return type
    }

    private mutating func reserved<T: FixedWidthInteger & BitwiseCopyable>(
        _: T.Type, _ what: String, _ ordinal: Int
    ) throws(SchemaError) {
        guard try integer(T.self, what) == 0 else {
            throw malformed("reserved bytes of \(what) are not zero", field: ordinal)
        }
    }
}
