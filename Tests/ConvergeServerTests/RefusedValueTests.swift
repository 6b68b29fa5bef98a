import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Testing

/// K4, W4: of a value inside an array or a struct the report names the place, element and member.
@Suite struct RefusedValueTests {
    /// Fixed zone: number u32 at 0, the entry of stops at 4, home at 8 (open bool, name u16 + 4), flags' entry at 15.
    static let definition = KindDefinition(
        name: "Route",
        fields: [
            FieldDefinition(name: "number", type: .u32),
            FieldDefinition(
                name: "stops", type: .array, max: 3, element: .structure,
                members: [
                    MemberDefinition(name: "open", type: .bool), MemberDefinition(name: "name", type: .string, max: 4),
                ]),
            FieldDefinition(
                name: "home", type: .structure,
                members: [
                    MemberDefinition(name: "open", type: .bool), MemberDefinition(name: "name", type: .string, max: 4),
                ]),
            FieldDefinition(name: "flags", type: .array, max: 4, element: .bool),
        ])

    /// `stops` and `flags` as given, everything else right.
    static func row(stops: [[UInt8]], home: [UInt8] = [0, 0, 0, 0, 0, 0, 0], flags: [UInt8] = []) -> [UInt8] {
        [7, 0, 0, 0, UInt8(stops.count), 0, 0, 0] + home + [UInt8(flags.count), 0, 0, 0] + stops.joined() + flags
    }

    static func stop(open: UInt8 = 1, length: UInt8 = 2, _ bytes: [UInt8] = [65, 66, 0, 0]) -> [UInt8] {
        [open, length, 0] + bytes
    }

    static let bad: [(row: [UInt8], code: WireErrorCode, sentence: String)] = [
        (
            row(stops: [stop(), stop(open: 9)]), .invalidBool,
            "in 'Route' field 'stops[1].open' is a bool of 9: use 0 or 1"
        ),
        (
            row(stops: [stop(), stop(), stop(length: 5)]), .valueTooLong,
            "in 'Route' field 'stops[2].name' takes a string of at most 4 bytes; the value given has 5: send less"
        ),
        (
            row(stops: [stop(length: 1, [0xFF, 0, 0, 0])]), .invalidUTF8,
            "in 'Route' field 'stops[0].name' is a string and not valid UTF-8: re-encode it, or make it bytes"
        ),
        (
            row(stops: [stop(length: 1)]), .nonzeroPadding,
            "in 'Route' field 'stops[0].name' has 1 bytes, and bytes behind them are not zero: fill it up with zeros"
        ),
        (
            row(stops: [], home: stop(open: 2)), .invalidBool,
            "in 'Route' field 'home.open' is a bool of 2: use 0 or 1"
        ),
        (
            row(stops: [stop()], flags: [0, 1, 1, 3]), .invalidBool,
            "in 'Route' field 'flags[3]' is a bool of 3: use 0 or 1"
        ),
        (
            row(stops: [stop(), stop(), stop(), stop()]), .valueTooLong,
            "in 'Route' field 'stops' takes an array of struct, at most 3 elements; the value given has 4: send less"
        ),
    ]

    @Test(arguments: bad) func k4APlaceInsideAFieldIsNamed(_ bad: (row: [UInt8], code: WireErrorCode, sentence: String))
        throws
    {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.definition)
        try client.send(Frames.assert(kind, id("x"), bad.row))
        let error = try client.expectError(bad.code)
        #expect(error.message == bad.sentence)
        try client.send(Frames.assert(kind, id("x"), Self.row(stops: [Self.stop()], flags: [1])))
        let synced = try client.sync()
        #expect(synced.applied == 1 && synced.refused == 1)
        try server.stop()
    }

    /// The data of a PATCH has the masked fields only.
    @Test func k4APlaceInAPatchIsNamed() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.definition)
        let data: [UInt8] = [2, 0, 0, 0, 3, 0, 0, 0] + Self.stop() + Self.stop() + [1, 0, 8]
        try client.send(Frames.patch(kind, id("x"), mask: 0b1010, data))
        let error = try client.expectError(.invalidBool)
        #expect(error.message == "in 'Route' field 'flags[2]' is a bool of 8: use 0 or 1")
        try server.stop()
    }

    /// Who is refused a thousand times in a second is told a hundred times; the report that is held has the field alone.
    @Test func w4TheHeldReportNamesTheField() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.definition)
        let writes = 300
        try client.send(
            Frames.write { writer in
                for item in 1...writes {
                    writer.assert(kind: kind, schema: 1, id: id(item), data: Self.row(stops: [Self.stop(open: 3)]))
                }
            })
        var told: UInt64 = 0
        while told < UInt64(writes) {
            let error = try client.expectError(.invalidBool)
            told += 1 + UInt64(error.repeated)
            #expect(error.message.contains("'stops"), "\(error.message)")
        }
        #expect(told == UInt64(writes))
        try server.stop()
    }
}
