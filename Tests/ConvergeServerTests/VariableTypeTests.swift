import ConvergeSchema
import ConvergeTestSupport
import ConvergeWire
import Testing

/// Writes to a kind with variable fields, arrays and structs: what is wrong with them is said of the field.
@Suite struct VariableTypeTests {
    /// Fixed zone: note 4, list 4, names 4, at 1 + 4, legs 4: 21 bytes.
    private static let definition = KindDefinition(
        name: "Ship",
        fields: [
            FieldDefinition(name: "note", type: .varstring, max: 4),
            FieldDefinition(name: "list", type: .array, max: 2, element: .u8),
            FieldDefinition(name: "names", type: .array, max: 2, element: .string, elementMax: 2),
            FieldDefinition(
                name: "at", type: .structure,
                members: [
                    MemberDefinition(name: "on", type: .bool), MemberDefinition(name: "t", type: .string, max: 2),
                ]),
            FieldDefinition(
                name: "legs", type: .array, max: 2, element: .structure,
                members: [MemberDefinition(name: "on", type: .bool)]),
        ])

    private static func row(
        note: UInt8 = 0, list: UInt8 = 0, names: UInt8 = 0, at: [UInt8] = [0, 0, 0, 0, 0], legs: UInt8 = 0,
        _ variable: [UInt8] = []
    ) -> [UInt8] {
        [note, 0, 0, 0, list, 0, 0, 0, names, 0, 0, 0] + at + [legs, 0, 0, 0] + variable
    }

    static let refused: [(name: String, row: [UInt8], code: WireErrorCode, words: [String])] = [
        ("no fixed zone", [1, 2], .wrongLength, ["2 bytes", "21 and as many as the entries", "ordinal order"]),
        ("short", row(note: 3, [65]), .wrongLength, ["22 bytes", "'Ship'"]),
        ("long", row(note: 1, [65, 65]), .wrongLength, ["23 bytes"]),
        ("long text", row(note: 5, [65, 65, 65, 65, 65]), .valueTooLong, ["'note'", "at most 4 bytes"]),
        (
            "many elements", row(list: 3, [1, 2, 3]), .valueTooLong,
            ["'list'", "at most 2 elements; the value given has 3"]
        ),
        ("long element", row(names: 1, [3, 0, 65, 65]), .valueTooLong, ["'names[0]'", "at most 2 bytes", "has 3"]),
        ("long member", row(at: [0, 3, 0, 65, 65]), .valueTooLong, ["'at.t'", "at most 2 bytes", "has 3"]),
        ("no UTF-8", row(note: 1, [0xFF]), .invalidUTF8, ["'note' of 'Ship' is a string"]),
        (
            "no UTF-8 inside", row(names: 1, [1, 0, 0xFF, 0]), .invalidUTF8,
            ["'Ship' field 'names[0]' is a string", "UTF-8"]
        ),
        ("no bool in a struct", row(at: [2, 0, 0, 0, 0]), .invalidBool, ["'Ship' field 'at.on' is a bool of 2"]),
        ("no bool in an element", row(legs: 2, [1, 9]), .invalidBool, ["'Ship' field 'legs[1].on' is a bool of 9"]),
        ("padding in an element", row(names: 1, [1, 0, 65, 66]), .nonzeroPadding, ["'names[0]'", "zeros"]),
    ]

    @Test(arguments: refused.indices) func k4WhatIsWrongIsSaidOfTheField(_ index: Int) throws {
        let bad = Self.refused[index]
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.definition)
        try client.send(Frames.assert(kind, id("x"), bad.row))
        let error = try client.expectError(bad.code)
        for word in bad.words { #expect(error.message.contains(word), "\(bad.name): '\(word)' in: \(error.message)") }
        #expect(try client.sync().refused == 1)
        try server.stop()
    }

    @Test func w2APatchHasTheZonesOfItsFields() throws {
        let server = try TestServer()
        let client = try RawClient(server)
        try client.connect()
        let kind = try client.create(Self.definition)
        let first = Self.row(note: 2, list: 2, legs: 1, [65, 66, 7, 8, 1])
        try client.send(Frames.assert(kind, id("x"), first))
        try client.send(Frames.patch(kind, id("x"), mask: 0b10010, [1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 1]))
        #expect(try client.sync().refused == 0)
        let result = try client.query(kind, id("x"))
        #expect(result.fixedBytes == 21)
        #expect(result.data == Self.row(note: 2, list: 1, legs: 2, [65, 66, 9, 0, 1]))
        try client.send(Frames.patch(kind, id("x"), mask: 0b10000, [1, 0, 0, 0]))
        try client.expectError(.wrongLength, "PATCH", "4 and as many as the entries")
        try client.send(Frames.patch(kind, id("x"), mask: 0b01000, [1]))
        try client.expectError(.wrongLength, "exactly 5")
        try server.stop()
    }
}
