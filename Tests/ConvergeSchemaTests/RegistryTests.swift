import ConvergeSchema
import Testing

@Suite struct RegistryTests {
    private func conflict(_ change: (inout KindDefinition) -> Void) throws -> String {
        var registry = KindRegistry()
        _ = try registry.register(flight)
        var given = flight
        change(&given)
        let error = refusal { () throws(SchemaError) in _ = try registry.register(given) }
        #expect(error?.code == .schemaConflict)
        #expect(registry.count == 1)
        #expect(registry[1]?.definition == flight)
        let text = error?.description ?? "accepted"
        let tail = ". A registered kind does not change: give the registered shape, or use another kind name"
        guard text.hasSuffix(tail) else { return text }
        return String(text.dropLast(tail.count).dropFirst("kind 'Flight' is registered with another shape: ".count))
    }

    @Test func numbersAreHandedOutFromOne() throws {
        var registry = KindRegistry()
        #expect(registry[0] == nil)
        #expect(registry[1] == nil)
        #expect(try registry.register(flight) == (1, true))
        #expect(try registry.register(kind(field("open", .bool))) == (2, true))
        #expect(registry.kind(named: "Flight") == 1)
        #expect(registry.kind(named: "flight") == nil)
        #expect(registry[2]?.kind == 2)
        #expect(registry[2]?.definition.schema == 1)
        #expect(registry[3] == nil)
        #expect(registry[.max] == nil)
        #expect(registry.entries(after: 0).map(\.kind) == [1, 2])
        #expect(registry.entries(after: 0).map(\.definition.name) == ["Flight", "K"])
        #expect(registry.entries(after: 1).map(\.kind) == [2])
        #expect(registry.entries(after: .max).isEmpty)
        #expect(registry[1]?.encoded == flight.encoded())
    }

    @Test func aKindBeginsWithSchemaVersionOne() throws {
        var registry = KindRegistry()
        var gate = kind(field("open", .bool))
        gate.schema = 2
        let error = refusal { () throws(SchemaError) in _ = try registry.register(gate) }
        #expect(error?.code == .invalidDefinition)
        #expect(error?.description.contains("schema version 2: register it with 1") == true)
        #expect(registry.count == 0)
    }

    @Test func aCandidateChangesNothingUntilItIsAdded() throws {
        var registry = KindRegistry()
        guard case .new(let entry) = try registry.candidate(for: flight) else {
            Issue.record("a kind that is not there is new")
            return
        }
        #expect(registry.count == 0 && registry.kind(named: "Flight") == nil)
        registry.add(entry)
        guard case .registered(let again) = try registry.candidate(for: flight) else {
            Issue.record("a kind that is there is registered")
            return
        }
        #expect(again.kind == 1 && registry.count == 1)
    }

    @Test func theSameAgainAndAPrefixAreAccepted_K1() throws {
        var registry = KindRegistry()
        _ = try registry.register(flight)
        #expect(try registry.register(flight) == (1, false))
        for count in 1...3 {
            var older = flight
            older.fields = Array(flight.fields.prefix(count))
            #expect(try registry.register(older) == (1, false))
        }
        #expect(registry[1]?.definition == flight)
        #expect(registry[1]?.layout.fixedBytes == 17)
    }

    @Test func theFirstDifferenceIsNamed_K1() throws {
        #expect(try conflict { $0.durability = .ephemeral } == "its durability is durable, and ephemeral was given")
        #expect(try conflict { $0.fields[1].type = .i32 } == "field 'delay_minutes' differs: type i16 -> i32")
        #expect(try conflict { $0.fields[0].max = 16 } == "field 'status' differs: max 12 -> 16")
        #expect(try conflict { $0.fields[2].owners = 0 } == "field 'gate' differs: owners [2] -> every source")
        #expect(try conflict { $0.fields[2].owners = 1 << 63 | 1 } == "field 'gate' differs: owners [2] -> [0, 63]")
        #expect(try conflict { $0.fields[2].onRetract = .keep } == "field 'gate' differs: on_retract clear -> keep")
        #expect(
            try conflict { $0.fields.swapAt(0, 1) }
                == "the order differs: field 'delay_minutes' is number 2, and was given as 1")
        #expect(
            try conflict { $0.fields.removeFirst() }
                == "field 'status' was removed ('delay_minutes' stands in its place)")
        #expect(
            try conflict { $0.fields.insert(field("new", .u8), at: 1) }
                == "field 'new' was added before 'delay_minutes'")
        #expect(
            try conflict {
                $0.fields[0].max = 13
                $0.fields[1].type = .u16
            } == "field 'status' differs: max 12 -> 13")
    }

    @Test func differencesInsideOfAFieldAreNamed_K1() throws {
        let given = KindDefinition(
            name: "K",
            fields: [
                array("list", max: 4, .u16), array("names", max: 2, .string, elementMax: 5),
                structure("at", member("lat", .f64), member("port", .string, max: 3)),
                array("legs", max: 3, .structure, [member("x", .f32)]),
            ])
        func difference(_ change: (inout [FieldDefinition]) -> Void) throws -> String? {
            var registry = KindRegistry()
            _ = try registry.register(given)
            #expect(try registry.register(given) == (1, false))
            var changed = given
            change(&changed.fields)
            let error = refusal { () throws(SchemaError) in _ = try registry.register(changed) }
            #expect(error?.code == .schemaConflict)
            return error?.description.split(separator: ". A registered").first.map {
                String($0.dropFirst("kind 'K' is registered with another shape: ".count))
            }
        }
        #expect(try difference { $0[0].element = .i16 } == "field 'list' differs: element u16 -> i16")
        #expect(try difference { $0[0].max = 5 } == "field 'list' differs: max 4 -> 5")
        #expect(try difference { $0[1].elementMax = 6 } == "field 'names' differs: max of an element 5 -> 6")
        #expect(try difference { $0[2].members[0].type = .f32 } == "field 'at.lat' differs: type f64 -> f32")
        #expect(try difference { $0[2].members[1].max = 4 } == "field 'at.port' differs: max 3 -> 4")
        #expect(
            try difference { $0[2].members.append(member("n", .u8)) }
                == "field 'at' differs: its fields (lat, port) -> (lat, port, n)")
        #expect(
            try difference { $0[2].members.swapAt(0, 1) } == "field 'at' differs: its fields (lat, port) -> (port, lat)"
        )
        #expect(try difference { $0[3].members[0].name = "y" } == "field 'legs[]' differs: its fields (x) -> (y)")
        #expect(try difference { $0[3].members[0].type = .u8 } == "field 'legs[].x' differs: type f32 -> u8")
    }

    @Test func fieldsCannotBeAddedYet_K1() throws {
        #expect(
            try conflict { $0.fields.append(field("pilot", .u8)) }
                == "kind 'Flight' is registered without field 'pilot'; this version cannot add fields to a registered "
                + "kind yet: leave it out, or use another kind name")
    }

    @Test func reservedNamesAreTheServers_K5() {
        var registry = KindRegistry()
        let given = KindDefinition(name: "convergedb_connections", fields: [field("a", .u8)])
        let error = refusal { () throws(SchemaError) in _ = try registry.register(given) }
        #expect(error?.code == .reservedName)
        #expect(
            error?.description
                == "kind 'convergedb_connections': names that begin with convergedb_ are the server's own: choose another"
        )
        #expect(registry.count == 0)
    }

    @Test func invalidDefinitionsAreNotRegistered() {
        var registry = KindRegistry()
        let error = refusal { () throws(SchemaError) in _ = try registry.register(kind()) }
        #expect(error?.code == .invalidDefinition)
        #expect(registry.count == 0)
    }

    @Test func kindsAreAtMost65535_K5() throws {
        var registry = KindRegistry()
        for number in 1...65_535 {
            _ = try registry.register(KindDefinition(name: "k\(number)", fields: [field("a", .u8)]))
        }
        let error = refusal { () throws(SchemaError) in _ = try registry.register(flight) }
        #expect(error?.code == .limitReached)
        #expect(registry[65_535]?.definition.name == "k65535")
        #expect(try registry.register(KindDefinition(name: "k7", fields: [field("a", .u8)])) == (7, false))
    }
}
