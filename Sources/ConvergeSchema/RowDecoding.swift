extension KindLayout {
    /// Checks row data that came from elsewhere (K4): exact length, bool 0 or 1, UTF-8, lengths within max, zero padding.
    /// - Throws: `wrongLength`, `invalidBool`, `valueTooLong`, `invalidUTF8`, `nonzeroPadding`.
    public func validateRow(_ data: RawSpan) throws(SchemaError) {
        guard data.byteCount == rowBytes else {
            throw SchemaError(
                .wrongLength,
                "a row of kind '\(definition.name)' has \(Sentence.grouped(rowBytes)) bytes of data; "
                    + "\(Sentence.grouped(data.byteCount)) were given")
        }
        for (ordinal, field) in fields.enumerated() { try field.validate(data, at: offsets[ordinal]) }
    }

    /// The values of a row, in ordinal order.
    /// - Precondition: `data` has exactly `rowBytes` bytes; `validateRow` checks bytes that came from elsewhere. No other
    ///   content of `data` can do harm: lengths are cut at max and broken UTF-8 is repaired.
    public func decodeRow(_ data: RawSpan) -> [Value] {
        precondition(data.byteCount == rowBytes, "row data of another length")
        return fields.indices.map { fields[$0].decode(data, at: offsets[$0]) }
    }

    /// As `decodeRow(_: RawSpan)`.
    public func decodeRow(_ data: UnsafeRawBufferPointer) -> [Value] { decodeRow(data.bytes) }

    /// As `decodeRow(_: RawSpan)`.
    public func decodeRow(_ data: [UInt8]) -> [Value] { decodeRow(data.span.bytes) }

    /// One value of a row.
    /// - Precondition: `ordinal` is one of the kind's, and `data` has exactly `rowBytes` bytes.
    public func value(of ordinal: Int, in data: RawSpan) -> Value {
        precondition(data.byteCount == rowBytes, "row data of another length")
        return fields[ordinal].decode(data, at: offsets[ordinal])
    }

    /// As `value(of:in: RawSpan)`.
    public func value(of ordinal: Int, in data: UnsafeRawBufferPointer) -> Value { value(of: ordinal, in: data.bytes) }

    /// As `value(of:in: RawSpan)`.
    public func value(of ordinal: Int, in data: [UInt8]) -> Value { value(of: ordinal, in: data.span.bytes) }
}

extension FieldDefinition {
    fileprivate func decode(_ data: RawSpan, at offset: Int) -> Value {
        func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> T {
            T(littleEndian: data.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
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
            return .string(
                data.extracting(offset + 2..<offset + 2 + count).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            )
        case .bytes, .varstring, .varbytes, .array, .structure:
            let count = Swift.min(Int(load(UInt16.self)), max)
            return .bytes(data.extracting(offset + 2..<offset + 2 + count).withUnsafeBytes { Array($0) })
        }
    }

    fileprivate func validate(_ data: RawSpan, at offset: Int) throws(SchemaError) {
        func byte(_ index: Int) -> UInt8 { data.unsafeLoad(fromByteOffset: offset + index, as: UInt8.self) }
        if type == .bool, byte(0) > 1 {
            throw SchemaError(.invalidBool, "field '\(name)' is a bool of \(byte(0)): use 0 or 1", field: name)
        }
        guard type.hasMax else { return }
        let count = Int(byte(0)) | Int(byte(1)) << 8
        guard count <= max else { throw tooLong(count) }
        if type == .string {
            let text = data.extracting(offset + 2..<offset + 2 + count)
            guard text.withUnsafeBytes({ String(validating: $0, as: UTF8.self) }) != nil else {
                throw SchemaError(.invalidUTF8, "field '\(name)' is a string and not valid UTF-8", field: name)
            }
        }
        for index in count..<max where byte(2 + index) != 0 {
            throw SchemaError(
                .nonzeroPadding, "field '\(name)' has \(count) bytes, and bytes behind them are not zero", field: name)
        }
    }
}
