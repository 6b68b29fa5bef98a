extension KindLayout {
    /// Row data for an ASSERT: both zones, fields that are not given zero.
    /// - Throws: `unknownField`, `duplicateField`, `wrongType`, `outOfRange`, `valueTooLong`.
    public func encodeRow(_ values: [(name: String, value: Value)]) throws(SchemaError) -> [UInt8] {
        try encode(values, every: true).data
    }

    /// Presence mask and data for a PATCH: both zones of the fields given.
    /// - Throws: as `encodeRow`.
    public func encodePatch(
        _ values: [(name: String, value: Value)]
    ) throws(SchemaError) -> (mask: UInt64, data: [UInt8]) {
        try encode(values, every: false)
    }

    private func encode(
        _ values: [(name: String, value: Value)], every: Bool
    ) throws(SchemaError) -> (mask: UInt64, data: [UInt8]) {
        var given = [Value?](repeating: nil, count: fields.count)
        var mask: UInt64 = 0
        for (name, value) in values {
            let ordinal = try requireOrdinal(of: name)
            guard given[ordinal] == nil else {
                throw SchemaError(.duplicateField, "field '\(name)' is given twice: give it once", field: name)
            }
            given[ordinal] = value
            mask |= 1 << UInt64(ordinal)
        }
        var fixed: [UInt8] = []
        fixed.reserveCapacity(every ? fixedBytes : fixedBytes(mask: mask))
        var variable: [UInt8] = []
        for (ordinal, field) in fields.enumerated() {
            if let value = given[ordinal] {
                try Slot(field).encode(value, into: &fixed, &variable)
            } else if every {
                fixed.append(contentsOf: repeatElement(0, count: sizes[ordinal]))
            }
        }
        return (mask, fixed + variable)
    }
}

extension Slot {
    /// Appends the value of a field to the zones.
    fileprivate func encode(
        _ value: Value, into fixed: inout [UInt8], _ variable: inout [UInt8]
    ) throws(SchemaError) {
        switch type {
        case .varstring:
            guard case .string(let text) = value else { throw wrongType(value.typeName) }
            try appendEntry(text.utf8.count, to: &fixed)
            variable.append(contentsOf: text.utf8)
        case .varbytes:
            guard case .bytes(let bytes) = value else { throw wrongType(value.typeName) }
            try appendEntry(bytes.count, to: &fixed)
            variable.append(contentsOf: bytes)
        case .array:
            guard case .array(let elements) = value else { throw wrongType(value.typeName) }
            try appendEntry(elements.count, to: &fixed)
            for (index, value) in elements.enumerated() { try element(index).encodeInline(value, into: &variable) }
        default: try encodeInline(value, into: &fixed)
        }
    }

    private func appendEntry(_ count: Int, to fixed: inout [UInt8]) throws(SchemaError) {
        guard count <= max else { throw tooLong(count) }
        append(UInt128(count), 4, to: &fixed)
    }

    private func encodeInline(_ value: Value, into data: inout [UInt8]) throws(SchemaError) {
        switch type {
        case .u8, .u16, .u32, .u64, .u128, .i8, .i16, .i32, .i64:
            append(try integerBits(value), type.fixedBytes, to: &data)
        case .f32:
            let number = try double(value)
            let single = Float(number)
            guard single.isFinite || !number.isFinite else { throw doesNotFit("\(number)") }
            append(UInt128(single.bitPattern), 4, to: &data)
        case .f64:
            append(UInt128(try double(value).bitPattern), 8, to: &data)
        case .bool:
            guard case .bool(let flag) = value else { throw wrongType(value.typeName) }
            data.append(flag ? 1 : 0)
        case .string:
            guard case .string(let text) = value else { throw wrongType(value.typeName) }
            try append(text.utf8, count: text.utf8.count, to: &data)
        case .bytes:
            guard case .bytes(let bytes) = value else { throw wrongType(value.typeName) }
            try append(bytes, count: bytes.count, to: &data)
        case .structure:
            guard case .structure(let values) = value else { throw wrongType(value.typeName) }
            try encodeMembers(values, into: &data)
        case .varstring, .varbytes, .array:
            throw wrongType(value.typeName)
        }
    }

    private func encodeMembers(_ values: [String: Value], into data: inout [UInt8]) throws(SchemaError) {
        for name in values.keys.sorted() { _ = try requireMember(name) }
        for (ordinal, definition) in field.members.enumerated() {
            if let value = values[definition.name] {
                try member(ordinal).encodeInline(value, into: &data)
            } else {
                data.append(contentsOf: repeatElement(0, count: definition.bytes))
            }
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
        default: throw wrongType(value.typeName)
        }
    }

    private func double(_ value: Value) throws(SchemaError) -> Double {
        switch value {
        case .float(let number): number
        case .unsigned(let number): Double(number)
        case .signed(let number): Double(number)
        default: throw wrongType(value.typeName)
        }
    }

    private func append(_ bits: UInt128, _ count: Int, to data: inout [UInt8]) {
        for index in 0..<count { data.append(UInt8(truncatingIfNeeded: bits >> UInt128(8 * index))) }
    }

    private func append(
        _ bytes: some Sequence<UInt8>, count: Int, to data: inout [UInt8]
    ) throws(SchemaError) {
        guard count <= max else { throw tooLong(count) }
        append(UInt128(count), 2, to: &data)
        data.append(contentsOf: bytes)
        data.append(contentsOf: repeatElement(0, count: max - count))
    }
}
