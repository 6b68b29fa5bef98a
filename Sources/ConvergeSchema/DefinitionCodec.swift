// The binary definition of CREATE_KIND and KIND_INFO, little-endian, without padding:
//
//   format u8 = 1 | durability u8 | flags u8 (1 event stream) | schema u8 | name str16 | field_count u8, then per field
//   ordinal u8 | type u8 | on_retract u8 | 0 u8 | max u16 | 0 u16 | owners u64 | name str16
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
        let typeByte = try integer(UInt8.self, "the type of \(what)")
        guard let type = FieldType(rawValue: typeByte) else {
            throw malformed("the type of \(what) is \(typeByte); types are 1 to 18", .type, field: ordinal)
        }
        let retractByte = try integer(UInt8.self, "on_retract of \(what)")
        guard let onRetract = OnRetract(rawValue: retractByte) else {
            throw malformed(
                "on_retract of \(what) is \(retractByte); 0 is keep and 1 clear", .onRetract, field: ordinal)
        }
        let reserved = try integer(UInt8.self, what)
        let max = try integer(UInt16.self, "the max of \(what)")
        let reserved16 = try integer(UInt16.self, what)
        guard reserved == 0, reserved16 == 0 else {
            throw malformed("reserved bytes of \(what) are not zero", field: ordinal)
        }
        let owners = try integer(UInt64.self, "the owners of \(what)")
        let name = try string("the name of \(what)")
        return FieldDefinition(name: name, type: type, max: Int(max), owners: owners, onRetract: onRetract)
    }
}
