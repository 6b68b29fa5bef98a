extension KindLayout {
    /// Row data for an ASSERT: `rowBytes` bytes, fields that are not given zero.
    /// - Throws: `unknownField`, `duplicateField`, `wrongType`, `outOfRange`, `valueTooLong`.
    public func encodeRow(_ values: [(name: String, value: Value)]) throws(SchemaError) -> [UInt8] {
        try encodePacked(values, offsets: offsets, bytes: rowBytes).data
    }

    /// Presence mask and data for a PATCH: the fields given, packed in ordinal order.
    /// - Throws: as `encodeRow`.
    public func encodePatch(
        _ values: [(name: String, value: Value)]
    ) throws(SchemaError) -> (mask: UInt64, data: [UInt8]) {
        var mask: UInt64 = 0
        for (name, _) in values { mask |= 1 << UInt64(try requireOrdinal(of: name)) }
        var packed = [Int](repeating: 0, count: fields.count)
        var end = 0
        for ordinal in Ordinals(mask) {
            packed[ordinal] = end
            end += sizes[ordinal]
        }
        return try encodePacked(values, offsets: packed, bytes: end)
    }

    private func encodePacked(
        _ values: [(name: String, value: Value)], offsets: [Int], bytes: Int
    ) throws(SchemaError) -> (mask: UInt64, data: [UInt8]) {
        var data = [UInt8](repeating: 0, count: bytes)
        var mask: UInt64 = 0
        for (name, value) in values {
            let ordinal = try requireOrdinal(of: name)
            guard mask & 1 << UInt64(ordinal) == 0 else {
                throw SchemaError(.duplicateField, "field '\(name)' is given twice: give it once", field: name)
            }
            mask |= 1 << UInt64(ordinal)
            try fields[ordinal].encode(value, into: &data, at: offsets[ordinal])
        }
        return (mask, data)
    }
}

extension FieldDefinition {
    /// Writes the value to bytes that are zero.
    fileprivate func encode(_ value: Value, into data: inout [UInt8], at offset: Int) throws(SchemaError) {
        switch type {
        case .u8, .u16, .u32, .u64, .u128, .i8, .i16, .i32, .i64:
            store(try integerBits(value), type.fixedBytes, into: &data, at: offset)
        case .f32:
            let number = try double(value)
            let single = Float(number)
            guard single.isFinite || !number.isFinite else { throw doesNotFit("\(number)") }
            store(UInt128(single.bitPattern), 4, into: &data, at: offset)
        case .f64:
            store(UInt128(try double(value).bitPattern), 8, into: &data, at: offset)
        case .bool:
            guard case .bool(let flag) = value else { throw wrongType(value.typeName) }
            data[offset] = flag ? 1 : 0
        case .string:
            guard case .string(let text) = value else { throw wrongType(value.typeName) }
            try store(text.utf8, count: text.utf8.count, into: &data, at: offset)
        case .bytes:
            guard case .bytes(let bytes) = value else { throw wrongType(value.typeName) }
            try store(bytes, count: bytes.count, into: &data, at: offset)
        case .varstring, .varbytes, .array, .structure:
            throw wrongType(value.typeName)
        }
    }

    /// Two's complement of a number within the range of the type.
    private func integerBits(_ value: Value) throws(SchemaError) -> UInt128 {
        switch value {
        case .unsigned(let number):
            if let max = type.unsignedMax, number <= max { return number }
            if let range = type.signedRange, number <= UInt128(range.upperBound) { return number }
            throw doesNotFit("\(number)")
        case .signed(let number):
            if let max = type.unsignedMax, number >= 0, UInt128(number) <= max { return UInt128(number) }
            if let range = type.signedRange, range.contains(number) { return UInt128(truncatingIfNeeded: number) }
            throw doesNotFit("\(number)")
        case .float, .bool, .string, .bytes:
            throw wrongType(value.typeName)
        }
    }

    private func double(_ value: Value) throws(SchemaError) -> Double {
        switch value {
        case .float(let number): number
        case .unsigned(let number): Double(number)
        case .signed(let number): Double(number)
        case .bool, .string, .bytes: throw wrongType(value.typeName)
        }
    }

    private func store(_ bits: UInt128, _ count: Int, into data: inout [UInt8], at offset: Int) {
        for index in 0..<count { data[offset + index] = UInt8(truncatingIfNeeded: bits >> UInt128(8 * index)) }
    }

    private func store(
        _ bytes: some Sequence<UInt8>, count: Int, into data: inout [UInt8], at offset: Int
    ) throws(SchemaError) {
        guard count <= max else { throw tooLong(count) }
        store(UInt128(count), 2, into: &data, at: offset)
        for (index, byte) in bytes.enumerated() { data[offset + 2 + index] = byte }
    }
}

extension Value {
    /// What the value is, as in `a string`.
    var typeName: String {
        switch self {
        case .unsigned, .signed: "an integer"
        case .float: "a floating-point number"
        case .bool: "a bool"
        case .string: "a string"
        case .bytes: "bytes"
        }
    }
}
