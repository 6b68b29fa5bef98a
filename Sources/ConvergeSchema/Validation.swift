extension KindDefinition {
    /// Checks the definition against K3 and K5.
    ///
    /// Names have 1…64 bytes: letters, digits, `_`, `-` and `.`, the first a letter or `_`, all ASCII. Reserved kind
    /// names are refused where kinds are registered, not here: the server has kinds of its own.
    /// - Throws: `invalidDefinition`, `limitReached`, or `unsupported` for what this version knows but does not serve.
    public func validate() throws(SchemaError) {
        if let fault = nameFault(name) {
            throw SchemaError(.invalidDefinition, "the kind's name \(Sentence.quote(name)) \(fault)", part: .name)
        }
        if schema == 0 {
            throw SchemaError(.invalidDefinition, "schema versions begin at 1; 0 was given", part: .schema)
        }
        if eventStream {
            throw SchemaError(
                .unsupported, "event streams are not available yet: set event_stream to false", part: .eventStream)
        }
        if fields.isEmpty {
            throw SchemaError(.invalidDefinition, "kind '\(name)' has no fields: give it 1 to 64", part: .fields)
        }
        var names = Set<String>()
        var rowBytes = SchemaLimits.rowHeaderBytes
        for (ordinal, field) in fields.enumerated() {
            if ordinal == SchemaLimits.fields {
                throw SchemaError(
                    .limitReached,
                    "a kind has at most 64 fields; \(Sentence.quote(field.name)) would be the 65th",
                    field: field.name, ordinal: ordinal, part: .fieldName)
            }
            try field.validate(ordinal: ordinal)
            guard names.insert(field.name).inserted else {
                throw SchemaError(
                    .invalidDefinition, "the name '\(field.name)' is used by two fields: every field needs its own",
                    field: field.name, ordinal: ordinal, part: .fieldName)
            }
            rowBytes += field.bytes
            if rowBytes > SchemaLimits.rowBytes {
                throw SchemaError(
                    .limitReached,
                    "field '\(field.name)' makes the largest row \(Sentence.grouped(rowBytes)) bytes; the limit is "
                        + "1,048,576 (50 of header and the data): use a smaller max",
                    field: field.name, ordinal: ordinal, part: field.type.hasMax ? .max : .type)
            }
        }
    }
}

extension FieldDefinition {
    /// Checks one field by itself.
    func validate(ordinal: Int) throws(SchemaError) {
        if let fault = nameFault(name) {
            throw error(.invalidDefinition, "the field's name \(Sentence.quote(name)) \(fault)", ordinal, .fieldName)
        }
        guard type.isAvailable else { throw error(.unsupported, unavailable, ordinal, .type) }
        if type.hasMax, !(1...SchemaLimits.valueBytes).contains(max) {
            let given = max == 0 ? "it has none" : "\(max) was given"
            throw error(
                .invalidDefinition, "field '\(name)' (\(type)) needs a max of 1 to 65,535 bytes; \(given)", ordinal,
                .max)
        }
        if !type.hasMax, max != 0 {
            throw error(
                .invalidDefinition, "field '\(name)' is \(type.article) and takes no max: leave it out", ordinal, .max)
        }
    }

    private var unavailable: String {
        switch type {
        case .varstring: "field '\(name)': varstring is not available yet: use string with a max"
        case .varbytes: "field '\(name)': varbytes is not available yet: use bytes with a max"
        case .array: "field '\(name)': array is not available yet: use one field for each element, or bytes with a max"
        default: "field '\(name)': struct is not available yet: make its members fields of the kind"
        }
    }

    private func error(_ code: SchemaError.Code, _ text: String, _ ordinal: Int, _ part: SchemaError.Part)
        -> SchemaError
    {
        SchemaError(code, text, field: name, ordinal: ordinal, part: part)
    }
}

/// What is wrong with the name of a kind or field, or nil.
private func nameFault(_ name: String) -> String? {
    let bytes = name.utf8
    if bytes.isEmpty { return "is empty: names have 1 to 64 bytes" }
    if bytes.count > SchemaLimits.nameBytes { return "has \(bytes.count) bytes: names have 1 to 64" }
    for (index, byte) in bytes.enumerated() {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): continue
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            if index == 0 { return "must begin with a letter or _" }
        default: return "must consist of letters a-z A-Z, digits, _ - and ."
        }
    }
    return nil
}
