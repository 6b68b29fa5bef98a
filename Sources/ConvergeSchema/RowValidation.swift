extension KindLayout {
    /// Checks row data that came from elsewhere (K4): entries and lengths within max, exact length, bool 0 or 1, UTF-8, zero
    /// padding.
    /// - Throws: `wrongLength`, `valueTooLong`, `invalidBool`, `invalidUTF8`, `nonzeroPadding`.
    public func validateRow(_ data: RawSpan) throws(SchemaError) {
        guard data.byteCount >= fixedBytes else { throw wrongLength(data.byteCount, wanted: nil) }
        try validateRow(fixed: data.extracting(first: fixedBytes), variable: data.extracting(droppingFirst: fixedBytes))
    }

    /// As `validateRow(_:)`. A fixed zone longer than the layout's has fields of a newer schema behind those it knows (K2);
    /// then the variable zone may be longer too.
    public func validateRow(fixed: RawSpan, variable: RawSpan) throws(SchemaError) {
        let given = fixed.byteCount + variable.byteCount
        guard fixed.byteCount >= fixedBytes else { throw wrongLength(given, wanted: nil) }
        var bytes = 0
        for ordinal in Ordinals(variableFields) {
            let entry = entry(of: ordinal, fixed)
            guard entry <= fields[ordinal].max else { throw Slot(fields[ordinal]).tooLong(entry) }
            bytes += entry * units[ordinal]
        }
        let isNewer = fixed.byteCount > fixedBytes
        guard isNewer ? bytes <= variable.byteCount : bytes == variable.byteCount else {
            throw wrongLength(given, wanted: fixed.byteCount + bytes)
        }
        guard checkedFields != 0 else { return }
        var start = 0
        for ordinal in Ordinals(checkedFields | variableFields) {
            let field = fields[ordinal]
            guard units[ordinal] != 0 else {
                try Slot(field).validate(fixed.extracting(offsets[ordinal]..<offsets[ordinal] + sizes[ordinal]))
                continue
            }
            let count = entry(of: ordinal, fixed)
            let end = start + count * units[ordinal]
            if checkedFields & 1 << UInt64(ordinal) != 0 {
                try Slot(field).validateVariable(variable.extracting(start..<end), count)
            }
            start = end
        }
    }

    /// What is wrong with the first faulty value of an ASSERT's data (`mask` all fields) or a PATCH's (the masked ones), named
    /// by its path, as in `positions[3].lat`. For data whose length was found right; nil: no value is at fault.
    public func fault(in data: RawSpan, mask: UInt64) -> SchemaError? {
        var fixed = 0
        var variable = fixedBytes(mask: mask)
        for ordinal in Ordinals(mask & allFields) {
            let value = fixed..<fixed + sizes[ordinal]
            fixed = value.upperBound
            guard fixed <= data.byteCount else { return nil }
            do throws(SchemaError) {
                guard units[ordinal] != 0 else {
                    try Slot(fields[ordinal]).validate(data.extracting(value))
                    continue
                }
                let entry = data.unsafeLoadUnaligned(fromByteOffset: value.lowerBound, as: UInt32.self)
                let count = Int(UInt32(littleEndian: entry))
                guard count <= fields[ordinal].max else { throw Slot(fields[ordinal]).tooLong(count) }
                let bytes = variable..<variable + count * units[ordinal]
                variable = bytes.upperBound
                guard variable <= data.byteCount else { return nil }
                try Slot(fields[ordinal]).validateVariable(data.extracting(bytes), count)
            } catch {
                return error
            }
        }
        return nil
    }

    /// `wanted`: bytes that the entries ask for; nil: not even the fixed zone is there.
    private func wrongLength(_ given: Int, wanted: Int?) -> SchemaError {
        let has: String
        if variableFields == 0 {
            has = "\(Sentence.grouped(fixedBytes)) bytes of data"
        } else if let wanted {
            has = "\(Sentence.grouped(wanted)) bytes of data by the entries of its variable fields"
        } else {
            has = "at least \(Sentence.grouped(fixedBytes)) bytes of data"
        }
        return SchemaError(
            .wrongLength, "a row of kind '\(definition.name)' has \(has); \(Sentence.grouped(given)) were given")
    }
}

extension Slot {
    /// The field's own bytes of the variable zone.
    fileprivate func validateVariable(_ data: RawSpan, _ count: Int) throws(SchemaError) {
        guard type == .array else { return try validateText(data) }
        guard count > 0 else { return }
        let unit = data.byteCount / count
        for index in 0..<count {
            try element(index).validate(data.extracting(index * unit..<(index + 1) * unit))
        }
    }

    /// The bytes of a value in the fixed zone, or of an element.
    fileprivate func validate(_ data: RawSpan) throws(SchemaError) {
        switch type {
        case .bool:
            let byte = data.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
            guard byte <= 1 else {
                throw SchemaError(
                    .invalidBool, "field '\(path)' is a bool of \(byte): use 0 or 1", field: field.name)
            }
        case .string, .bytes: try validateInlineBytes(data)
        case .structure:
            var offset = 0
            for (ordinal, definition) in field.members.enumerated() {
                try member(ordinal).validate(data.extracting(offset..<offset + definition.bytes))
                offset += definition.bytes
            }
        default: return
        }
    }

    private func validateInlineBytes(_ data: RawSpan) throws(SchemaError) {
        let count = Int(UInt16(littleEndian: data.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt16.self)))
        guard count <= max else { throw tooLong(count) }
        if type == .string { try validateText(data.extracting(2..<2 + count)) }
        for index in 2 + count..<2 + max where data.unsafeLoad(fromByteOffset: index, as: UInt8.self) != 0 {
            throw SchemaError(
                .nonzeroPadding, "field '\(path)' has \(count) bytes, and bytes behind them are not zero",
                field: field.name)
        }
    }

    private func validateText(_ data: RawSpan) throws(SchemaError) {
        let isValid = data.withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { (try? UTF8Span(validating: $0.span)) != nil }
        }
        guard isValid else {
            let what = type == .varstring ? "a varstring" : "a string"
            throw SchemaError(.invalidUTF8, "field '\(path)' is \(what) and not valid UTF-8", field: field.name)
        }
    }
}
