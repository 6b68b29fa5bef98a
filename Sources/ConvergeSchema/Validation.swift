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
            rowBytes += field.bytes + field.unit * field.max
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
            throw SchemaError(
                .invalidDefinition, "the field's name \(Sentence.quote(name)) \(fault)", field: name, ordinal: ordinal,
                part: .fieldName)
        }
        func invalid(
            _ text: String, _ part: SchemaError.Part, _ code: SchemaError.Code = .invalidDefinition, member: Int? = nil
        ) -> SchemaError {
            SchemaError(code, text, field: name, ordinal: ordinal, member: member, part: part)
        }
        if let fault = maxFault(path: name, type, max) { throw invalid(fault, .max) }
        if type == .array {
            guard let element else {
                throw invalid("field '\(name)' is an array without an element: give it the type of one", .element)
            }
            guard element.isElement else {
                throw invalid(
                    "the elements of field '\(name)' are \(element): use a scalar, string, bytes or struct",
                    .elementType)
            }
            if let fault = maxFault(path: "\(name)[]", element, elementMax) { throw invalid(fault, .elementMax) }
        } else if element != nil || elementMax != 0 {
            throw invalid("field '\(name)' is \(type.article) and takes no element: leave it out", .element)
        }
        let path = type == .array ? "\(name)[]" : name
        guard type == .structure || element == .structure else {
            if members.isEmpty { return }
            throw invalid(
                "field '\(path)' is \((element ?? type).article) and takes no fields of its own: leave them out",
                .members)
        }
        if members.isEmpty { throw invalid("field '\(path)' is a struct without fields: give it 1 to 64", .members) }
        var names = Set<String>()
        for (index, member) in members.enumerated() {
            if index == SchemaLimits.members {
                throw invalid(
                    "field '\(path)': a struct has at most 64 fields; \(Sentence.quote(member.name)) would be the 65th",
                    .memberName, .limitReached, member: index)
            }
            if let fault = nameFault(member.name) {
                throw invalid(
                    "field '\(path)': the name \(Sentence.quote(member.name)) \(fault)", .memberName, member: index)
            }
            guard names.insert(member.name).inserted else {
                throw invalid(
                    "field '\(path)': the name '\(member.name)' is used twice: every field needs its own", .memberName,
                    member: index)
            }
            guard member.type.isInline else {
                throw invalid(
                    "field '\(path).\(member.name)' is \(member.type.article), which a struct cannot hold: use a scalar, "
                        + "string or bytes, or make it a field of the kind", .memberType, member: index)
            }
            if let fault = maxFault(path: "\(path).\(member.name)", member.type, member.max) {
                throw invalid(fault, .memberMax, member: index)
            }
        }
    }
}

/// What is wrong with the max of a value of this type, or nil.
private func maxFault(path: String, _ type: FieldType, _ max: Int) -> String? {
    guard type.hasMax else {
        return max == 0 ? nil : "field '\(path)' is \(type.article) and takes no max: leave it out"
    }
    let given = max == 0 ? "it has none" : "\(max) was given"
    if type == .array {
        if (1...SchemaLimits.elements).contains(max) { return nil }
        return "field '\(path)' (array) needs a max of 1 to 1,024 elements; \(given)"
    }
    if (1...SchemaLimits.valueBytes).contains(max) { return nil }
    return "field '\(path)' (\(type)) needs a max of 1 to 65,535 bytes; \(given)"
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
