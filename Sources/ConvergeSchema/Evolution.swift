extension KindDefinition {
    /// The first way in which `given` is neither this definition nor one with a prefix of its fields (K1), or nil.
    func conflict(with given: KindDefinition) -> SchemaError? {
        if durability != given.durability {
            return conflict("its durability is \(durability), and \(given.durability) was given", part: .durability)
        }
        if eventStream != given.eventStream {
            return conflict(
                "its event_stream is \(eventStream), and \(given.eventStream) was given", part: .eventStream)
        }
        for (ordinal, pair) in zip(fields, given.fields).enumerated() {
            if let text = difference(pair.0, pair.1, ordinal, given) {
                return conflict(text.text, field: text.field, ordinal: ordinal, part: text.part)
            }
        }
        guard given.fields.count > fields.count else { return nil }
        let added = given.fields[fields.count]
        return SchemaError(
            .schemaConflict,
            "kind '\(name)' is registered without field '\(added.name)'; this version cannot add fields to a "
                + "registered kind yet: leave it out, or use another kind name",
            field: added.name, ordinal: fields.count, part: .fieldName)
    }

    private func difference(
        _ old: FieldDefinition, _ new: FieldDefinition, _ ordinal: Int, _ given: KindDefinition
    ) -> (text: String, field: String, part: SchemaError.Part)? {
        if old.name != new.name {
            if !given.fields.contains(where: { $0.name == old.name }) {
                return ("field '\(old.name)' was removed ('\(new.name)' stands in its place)", old.name, .fieldName)
            }
            if let before = fields.firstIndex(where: { $0.name == new.name }) {
                return (
                    "the order differs: field '\(new.name)' is number \(before + 1), and was given as \(ordinal + 1)",
                    new.name, .fieldName
                )
            }
            return ("field '\(new.name)' was added before '\(old.name)'", new.name, .fieldName)
        }
        func was(_ what: String, _ before: some Any, _ after: some Any, _ part: SchemaError.Part)
            -> (text: String, field: String, part: SchemaError.Part)
        {
            ("field '\(old.name)' differs: \(what) \(before) -> \(after)", old.name, part)
        }
        if old.type != new.type { return was("type", old.type, new.type, .type) }
        if old.max != new.max { return was("max", old.max, new.max, .max) }
        if old.element != new.element {
            return was("element", old.element?.name ?? "none", new.element?.name ?? "none", .elementType)
        }
        if old.elementMax != new.elementMax {
            return was("max of an element", old.elementMax, new.elementMax, .elementMax)
        }
        if old.members != new.members { return memberDifference(old, new) }
        if old.owners != new.owners {
            return was("owners", ownerList(old.owners), ownerList(new.owners), .owners)
        }
        if old.onRetract != new.onRetract { return was("on_retract", old.onRetract, new.onRetract, .onRetract) }
        return nil
    }

    private func memberDifference(
        _ old: FieldDefinition, _ new: FieldDefinition
    ) -> (text: String, field: String, part: SchemaError.Part) {
        func names(_ field: FieldDefinition) -> String {
            "(\(Sentence.shorten(field.members.map(\.name).joined(separator: ", "))))"
        }
        let path = old.type == .array ? "\(old.name)[]" : old.name
        for (before, after) in zip(old.members, new.members) where before != after && before.name == after.name {
            let at = "field '\(path).\(before.name)' differs: "
            if before.type != after.type { return ("\(at)type \(before.type) -> \(after.type)", old.name, .memberType) }
            return ("\(at)max \(before.max) -> \(after.max)", old.name, .memberMax)
        }
        return ("field '\(path)' differs: its fields \(names(old)) -> \(names(new))", old.name, .members)
    }

    private func conflict(
        _ text: String, field: String? = nil, ordinal: Int? = nil, part: SchemaError.Part
    ) -> SchemaError {
        SchemaError(
            .schemaConflict,
            "kind '\(name)' is registered with another shape: \(text). A registered kind does not change: give the "
                + "registered shape, or use another kind name",
            field: field, ordinal: ordinal, part: part)
    }

    private func ownerList(_ owners: UInt64) -> String {
        owners == 0 ? "every source" : "[" + Ordinals(owners).map(String.init).joined(separator: ", ") + "]"
    }
}
