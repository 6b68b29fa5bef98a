import ConvergeClient
import Testing

import class ConvergeTestSupport.TestServer

/// A kind with every type, as a Swift type. `cached` is the program's own.
struct Ship: TypedKind, Equatable {
    struct Position: TypedStruct, Equatable {
        var lat = 0.0
        var lon = 0.0
        var port = ""
        var raw: [UInt8] = []

        static let members = Members<Position> {
            $0.field("lat", \.lat)
            $0.field("lon", \.lon)
            $0.string("port", \.port, max: 4)
            $0.bytes("raw", \.raw, max: 2)
        }
    }

    var a: UInt8 = 0
    var b: UInt16 = 0
    var c: UInt32 = 0
    var d: UInt64 = 0
    var e: UInt128 = 0
    var f: Int8 = 0
    var g: Int16 = 0
    var h: Int32 = 0
    var i: Int64 = 0
    var j: Float = 0
    var k = 0.0
    var l = false
    var name = ""
    var key: [UInt8] = []
    var note = ""
    var blob: [UInt8] = []
    var at = Position()
    var alerts: [UInt32] = []
    var flags: [Bool] = []
    var tags: [String] = []
    var keys: [[UInt8]] = []
    var route: [Position] = []
    var cached = 0

    static let schema = Schema<Ship>("Ship", durability: .ephemeral) {
        $0.field("a", \.a)
        $0.field("b", \.b)
        $0.field("c", \.c)
        $0.field("d", \.d)
        $0.field("e", \.e)
        $0.field("f", \.f)
        $0.field("g", \.g)
        $0.field("h", \.h)
        $0.field("i", \.i)
        $0.field("j", \.j)
        $0.field("k", \.k)
        $0.field("l", \.l)
        $0.string("name", \.name, max: 8)
        $0.bytes("key", \.key, max: 3)
        $0.varstring("note", \.note, max: 4_000)
        $0.varbytes("blob", \.blob, max: 16)
        $0.structure("at", \.at)
        $0.array("alerts", \.alerts, max: 4)
        $0.array("flags", \.flags, max: 2)
        $0.array("tags", \.tags, max: 3, elementMax: 5)
        $0.array("keys", \.keys, max: 2, elementMax: 2, owners: [0, 7], onRetract: .clear)
        $0.array("route", \.route, max: 5)
    }

    static var full: Ship {
        var ship = Ship()
        ship.a = .max
        ship.b = .max
        ship.c = .max
        ship.d = .max
        ship.e = .max
        ship.f = .min
        ship.g = .min
        ship.h = .min
        ship.i = .min
        ship.j = 0.1
        ship.k = -.infinity
        ship.l = true
        ship.name = "Größe"
        ship.key = [0, 255]
        ship.note = String(repeating: "n", count: 4_000)
        ship.blob = [1, 2, 3]
        ship.at = Position(lat: 54.5, lon: -10, port: "Kiel", raw: [9])
        ship.alerts = [1, 2, .max]
        ship.flags = [true, false]
        ship.tags = ["", "fast"]
        ship.keys = [[], [7]]
        ship.route = [Position(port: "a"), Position(lat: 1, raw: [1, 2])]
        return ship
    }
}

@Suite struct TypedKindTests {
    private func ships(
        _ server: TestServer
    ) async throws -> (client: Client, ships: Entities<Ship>) {
        var options = ClientOptions()
        options.source = 0
        let client = try await Client.connect(host: "127.0.0.1", port: server.port, options: options)
        return (client, try await client.register(Ship.self))
    }

    @Test func theDefinitionIsThatOfTheSchema() {
        let fields = Ship.schema.definition.fields
        let inOrder = FieldType.allCases.prefix(16) + [.structure] + Array(repeating: .array, count: 5)
        #expect(fields.map(\.type) == Array(inOrder))
        #expect(fields[12] == FieldDefinition(name: "name", type: .string, max: 8))
        #expect(
            fields[20]
                == FieldDefinition(
                    name: "keys", type: .array, max: 2, owners: 0x81, onRetract: .clear, element: .bytes, elementMax: 2)
        )
        #expect(fields[21].element == .structure)
        #expect(fields[21].members.map(\.name) == ["lat", "lon", "port", "raw"])
        #expect(fields[21].members.map(\.type) == [.f64, .f64, .string, .bytes])
        #expect(fields[21].members == fields[16].members)
        #expect(Ship.schema.definition.durability == .ephemeral)
    }

    @Test func valuesComeBackAsTheyWere() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        try await ships.assert(.int(1), .full)
        try await ships.assert(.int(2), Ship())
        #expect(try await ships.get(.int(1), afterMyWrites: true) == .full)
        #expect(try await ships.get(.int(2)) == Ship())
        #expect(try await ships.get(.int(3)) == nil)
        // What the typed side writes is what the generic side reads.
        guard case .alive(_, _, let row) = try await client.query(ships.kind, .int(1)) else {
            Issue.record("the entity is not there")
            return
        }
        #expect(row["e"] == .unsigned(.max) && row["h"] == .signed(Int64(Int32.min)))
        #expect(
            row["at"]
                == .structure([
                    "lat": .float(54.5), "lon": .float(-10), "port": .string("Kiel"), "raw": .bytes([9]),
                ]))
        #expect(row["tags"] == .array([.string(""), .string("fast")]))
        try await client.sync().check()
    }

    @Test func aPatchIsWhatItSets() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        var expected = Ship.full
        try await ships.assert(.int(1), expected)
        try await ships.patch(.int(1)) {
            $0.a = 0
            $0.note = "shorter"
            $0.alerts = []
            $0.at = Ship.Position(lon: 3)
            $0.l = false
        }
        expected.a = 0
        expected.note = "shorter"
        expected.alerts = []
        expected.at = Ship.Position(lon: 3)
        expected.l = false
        #expect(try await ships.get(.int(1), afterMyWrites: true) == expected)
        try await ships.patch(.int(9)) { $0.tags = ["new"] }
        #expect(try await ships.get(.int(9), afterMyWrites: true)?.tags == ["new"])
        try await ships.retract(.int(1))
        #expect(try await ships.get(.int(1), afterMyWrites: true) == nil)
        try await client.sync().check()
    }

    @Test func whatDoesNotFitIsNamedAndNeverSent() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        let cases: [(String, @Sendable (inout Ship) -> Void)] = [
            ("field 'name' takes a string of at most 8 bytes; the value given has 9", { $0.name = "123456789" }),
            ("field 'key' takes bytes, at most 3; the value given has 4", { $0.key = [1, 2, 3, 4] }),
            (
                "field 'note' takes a varstring of at most 4,000 bytes; the value given has 4,001",
                { $0.note = String(repeating: "n", count: 4_001) }
            ),
            ("field 'blob' takes varbytes, at most 16; the value given has 17", { $0.blob = Array(0...16) }),
            (
                "field 'alerts' takes an array of u32, at most 4 elements; the value given has 5",
                { $0.alerts = [1, 2, 3, 4, 5] }
            ),
            (
                "field 'tags[1]' takes a string of at most 5 bytes; the value given has 6",
                { $0.tags = ["a", "bbbbbb"] }
            ),
            (
                "field 'at.port' takes a string of at most 4 bytes; the value given has 5",
                { $0.at.port = "Bergen".dropLast().description }
            ),
            (
                "field 'route[1].raw' takes bytes, at most 2; the value given has 3",
                { $0.route = [Ship.Position(), Ship.Position(raw: [1, 2, 3])] }
            ),
        ]
        for (sentence, change) in cases {
            var ship = Ship()
            change(&ship)
            let error = await #expect(throws: ClientError.self) { try await ships.assert(.int(1), ship) }
            #expect(error?.description == sentence)
            #expect(error?.kind == .invalid)
        }
        let patched = await #expect(throws: ClientError.self) {
            try await ships.patch(.int(1)) { $0.tags = ["a", "b", "c", "d"] }
        }
        #expect(
            patched?.description == "field 'tags' takes an array of string, at most 3 elements; the value given has 4")
        let stray = await #expect(throws: ClientError.self) { try await ships.patch(.int(1)) { $0.cached = 7 } }
        #expect(
            stray?.description
                == "the patch sets a property of Ship that is no field of kind 'Ship': add it to the schema")
        #expect(try await client.sync().applied == 0)
    }

    @Test func changesAreTyped() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        try await ships.assert(.int(1), .full)
        try await client.sync().check()
        var options = SubscriptionOptions.bootstrap
        options.previous = true
        let subscription = try await ships.subscribe(options)
        var changes = subscription.makeAsyncIterator()

        let first = try #require(try await changes.next())
        guard case .snapshot = first.what else {
            Issue.record("the first change is no snapshot")
            return
        }
        #expect(first.id == .int(1) && first.version == 1 && first.sourceSet == 1 && first.value == .full)
        #expect(first.hasChanged(\.note) && !first.hasChanged(\.cached))

        try await ships.patch(.int(1)) { $0.note = "now" }
        let second = try #require(try await changes.next())
        #expect(second.value?.note == "now" && second.previous == .full && !second.isDeleted)
        #expect(second.hasChanged(\.note) && !second.hasChanged(\.a) && !second.hasChanged(\.at))

        try await ships.retract(.int(1))
        let third = try #require(try await changes.next())
        #expect(third.isDeleted && third.value == nil && third.previous?.note == "now" && third.version == 3)
        try await subscription.unsubscribe()
        #expect(try await changes.next() == nil)
    }

    @Test func notificationsTellOfTheSnapshot() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        try await ships.assert(.int(1), Ship())
        try await client.sync().check()
        var seen: [String] = []
        for try await notification in try await ships.subscribe(.bootstrap).notifications {
            switch notification {
            case .bootstrapBegin: seen.append("begin")
            case .change(let change): seen.append("\(change.id)")
            case .bootstrapEnd: seen.append("end")
            }
            if seen.last == "end" { break }
        }
        #expect(seen == ["begin", "\(EntityID.int(1))", "end"])
    }

    /// The closures may use what belongs to the caller's actor.
    @MainActor @Test func closuresStayWhereTheyAreWritten() async throws {
        @MainActor final class Captain { var name = "Ada" }
        let captain = Captain()
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        try await ships.patch(.int(1)) { $0.name = captain.name }
        try await client.batch { batch throws(ClientError) in
            try batch.patch(ships, .int(1)) { $0.note = captain.name }
        }
        let ship = try await ships.get(.int(1), afterMyWrites: true)
        #expect(ship?.name == "Ada" && ship?.note == "Ada")
    }

    @Test func batchesAreTyped() async throws {
        let server = try TestServer()
        let (client, ships) = try await ships(server)
        try await client.batch { batch throws(ClientError) in
            for number in 0..<100 { try batch.assert(ships, .int(UInt64(number)), .full) }
            try batch.patch(ships, .int(5)) { $0.a = 1 }
            batch.retract(ships, .int(6))
        }
        #expect(try await client.sync().applied == 102)
        #expect(try await ships.get(.int(5))?.a == 1)
        #expect(try await ships.get(.int(6)) == nil)
        let count = try await client.batch { batch throws(ClientError) in
            var long = Ship()
            long.name = "far too long"
            #expect(throws: ClientError.self) { try batch.assert(ships, .int(1), long) }
        }
        #expect(count == 102)
    }

    /// The server's kind has more fields than the program: they are zero where it asserts, and stay where it patches (K1).
    @Test func aKindThatHasGrownIsServed_K1() async throws {
        let server = try TestServer()
        var options = ClientOptions()
        options.source = 0
        let client = try await Client.connect(host: "127.0.0.1", port: server.port, options: options)
        var grown = Ship.schema.definition
        grown.fields.append(FieldDefinition(name: "more", type: .array, max: 3, element: .u16))
        grown.fields.append(FieldDefinition(name: "last", type: .u64))
        let kind = try await client.register(grown)
        let ships = try await client.register(Ship.self)
        #expect(ships.kind.definition.fields.count == 24)
        try await ships.assert(.int(1), .full)
        try await client.patch(kind, .int(1), ["more": .array([.unsigned(5)]), "last": .unsigned(6)])
        try await ships.patch(.int(1)) { $0.note = "x" }
        var expected = Ship.full
        expected.note = "x"
        #expect(try await ships.get(.int(1), afterMyWrites: true) == expected)
        guard case .alive(_, _, let row) = try await client.query(kind, .int(1)) else {
            Issue.record("the entity is not there")
            return
        }
        #expect(row["more"] == .array([.unsigned(5)]) && row["last"] == .unsigned(6))
    }

    @Test func schemasThatCannotBeRegistered() async throws {
        struct Twice: TypedKind {
            var a: UInt8 = 0
            static let schema = Schema<Twice>("Twice") {
                $0.field("a", \.a)
                $0.field("b", \.a)
            }
        }
        struct Unnamed: TypedKind {
            var a: UInt8 = 0
            static let schema = Schema<Unnamed>("Unnamed") { $0.field("", \.a) }
        }
        struct Other: TypedKind {
            var a: UInt8 = 0
            static let schema = Schema<Other>("Ship") { $0.field("b", \.a) }
        }
        let server = try TestServer()
        let (client, _) = try await ships(server)
        let twice = await #expect(throws: ClientError.self) { try await client.register(Twice.self) }
        #expect(twice?.description == "fields 'a' and 'b' of kind 'Twice' are the same property: give each its own")
        let unnamed = await #expect(throws: ClientError.self) { try await client.register(Unnamed.self) }
        #expect(unnamed?.kind == .invalid)
        let other = await #expect(throws: ClientError.self) { try await client.register(Other.self) }
        #expect(other?.code == .schemaConflict)
    }
}
