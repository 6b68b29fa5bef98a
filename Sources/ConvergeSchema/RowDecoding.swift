// Row data comes as its two zones, or as one piece, in which the variable zone follows the fixed one. A fixed zone may be
// longer than the layout's: its end is fields of a newer schema (K2), and so is the end of the variable zone then.

extension KindLayout {
    /// The values of a row, in ordinal order.
    ///
    /// Nothing in the bytes can do harm: what entries and lengths promise is cut at max and at the end of the data, and
    /// broken UTF-8 is repaired. `validateRow` checks bytes that came from elsewhere.
    /// - Precondition: `fixed` has at least `fixedBytes` bytes.
    public func decodeRow(fixed: RawSpan, variable: RawSpan) -> [Value] {
        precondition(fixed.byteCount >= fixedBytes, "row data of another length")
        var values: [Value] = []
        values.reserveCapacity(fields.count)
        var start = 0
        for ordinal in fields.indices {
            let end = start + variableBytes(of: ordinal, fixed, left: variable.byteCount - start)
            values.append(decode(ordinal, fixed, variable.extracting(start..<end)))
            start = end
        }
        return values
    }

    /// One value of a row.
    /// - Precondition: `ordinal` is one of the kind's, and `fixed` has at least `fixedBytes` bytes.
    public func value(of ordinal: Int, fixed: RawSpan, variable: RawSpan) -> Value {
        precondition(fixed.byteCount >= fixedBytes, "row data of another length")
        guard units[ordinal] != 0 else { return decode(ordinal, fixed, variable) }
        var start = 0
        for before in Ordinals(variableFields & ((1 << UInt64(ordinal)) - 1)) {
            start += variableBytes(of: before, fixed, left: variable.byteCount - start)
        }
        let end = start + variableBytes(of: ordinal, fixed, left: variable.byteCount - start)
        return decode(ordinal, fixed, variable.extracting(start..<end))
    }

    /// As `decodeRow(fixed:variable:)`, of one piece.
    public func decodeRow(_ data: RawSpan) -> [Value] {
        precondition(data.byteCount >= fixedBytes, "row data of another length")
        return decodeRow(
            fixed: data.extracting(first: fixedBytes), variable: data.extracting(droppingFirst: fixedBytes))
    }

    /// As `decodeRow(_: RawSpan)`.
    public func decodeRow(_ data: UnsafeRawBufferPointer) -> [Value] { decodeRow(data.bytes) }

    /// As `decodeRow(_: RawSpan)`.
    public func decodeRow(_ data: [UInt8]) -> [Value] { decodeRow(data.span.bytes) }

    /// As `value(of:fixed:variable:)`, of one piece.
    public func value(of ordinal: Int, in data: RawSpan) -> Value {
        precondition(data.byteCount >= fixedBytes, "row data of another length")
        return value(
            of: ordinal, fixed: data.extracting(first: fixedBytes), variable: data.extracting(droppingFirst: fixedBytes)
        )
    }

    /// As `value(of:in: RawSpan)`.
    public func value(of ordinal: Int, in data: UnsafeRawBufferPointer) -> Value { value(of: ordinal, in: data.bytes) }

    /// As `value(of:in: RawSpan)`.
    public func value(of ordinal: Int, in data: [UInt8]) -> Value { value(of: ordinal, in: data.span.bytes) }

    /// Bytes of this layout's fields in the variable zone, as the entries of a valid row say.
    /// - Precondition: `fixed` has at least `fixedBytes` bytes.
    public func variableBytes(fixed: RawSpan) -> Int {
        precondition(fixed.byteCount >= fixedBytes, "row data of another length")
        var bytes = 0
        for ordinal in Ordinals(variableFields) { bytes += variableBytes(of: ordinal, fixed, left: .max) }
        return bytes
    }

    /// A variable field's entry: bytes, or elements.
    package func entry(of ordinal: Int, _ fixed: RawSpan) -> Int {
        Int(UInt32(littleEndian: fixed.unsafeLoadUnaligned(fromByteOffset: offsets[ordinal], as: UInt32.self)))
    }

    /// Bytes of a field in the variable zone, whole elements, at most `left`; 0: it has none there.
    private func variableBytes(of ordinal: Int, _ fixed: RawSpan, left: Int) -> Int {
        let unit = units[ordinal]
        guard unit != 0 else { return 0 }
        return Swift.min(entry(of: ordinal, fixed), fields[ordinal].max, left / unit) * unit
    }

    /// `variable`: the field's own bytes.
    private func decode(_ ordinal: Int, _ fixed: RawSpan, _ variable: RawSpan) -> Value {
        let field = fields[ordinal]
        switch field.type {
        case .varstring: return .string(variable.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        case .varbytes: return .bytes(variable.withUnsafeBytes { Array($0) })
        case .array:
            let unit = units[ordinal]
            return .array(
                stride(from: 0, to: variable.byteCount, by: unit).map { offset in
                    field.decodeElement(variable.extracting(offset..<offset + unit))
                })
        case .structure:
            return field.decodeMembers(fixed.extracting(offsets[ordinal]..<offsets[ordinal] + sizes[ordinal]))
        default:
            return decodeInline(
                field.type, field.max, fixed.extracting(offsets[ordinal]..<offsets[ordinal] + sizes[ordinal]))
        }
    }
}

extension FieldDefinition {
    fileprivate func decodeElement(_ data: RawSpan) -> Value {
        element == .structure ? decodeMembers(data) : decodeInline(element ?? .u8, elementMax, data)
    }

    fileprivate func decodeMembers(_ data: RawSpan) -> Value {
        var values: [String: Value] = Dictionary(minimumCapacity: members.count)
        var offset = 0
        for member in members {
            values[member.name] = decodeInline(member.type, member.max, data.extracting(offset..<offset + member.bytes))
            offset += member.bytes
        }
        return .structure(values)
    }
}

/// `data`: exactly the value's bytes.
private func decodeInline(_ type: FieldType, _ max: Int, _ data: RawSpan) -> Value {
    func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T {
        T(littleEndian: data.unsafeLoadUnaligned(fromByteOffset: 0, as: T.self))
    }
    switch type {
    case .u8: return .unsigned(UInt128(load(UInt8.self)))
    case .u16: return .unsigned(UInt128(load(UInt16.self)))
    case .u32: return .unsigned(UInt128(load(UInt32.self)))
    case .u64: return .unsigned(UInt128(load(UInt64.self)))
    case .u128: return .unsigned(load(UInt128.self))
    case .i8: return .signed(Int64(load(Int8.self)))
    case .i16: return .signed(Int64(load(Int16.self)))
    case .i32: return .signed(Int64(load(Int32.self)))
    case .i64: return .signed(load(Int64.self))
    case .f32: return .float(Double(Float(bitPattern: load(UInt32.self))))
    case .f64: return .float(Double(bitPattern: load(UInt64.self)))
    case .bool: return .bool(load(UInt8.self) != 0)
    case .string:
        let count = Swift.min(Int(load(UInt16.self)), max)
        return .string(data.extracting(2..<2 + count).withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    case .bytes, .varstring, .varbytes, .array, .structure:
        let count = Swift.min(Int(load(UInt16.self)), max)
        return .bytes(data.extracting(2..<2 + count).withUnsafeBytes { Array($0) })
    }
}
