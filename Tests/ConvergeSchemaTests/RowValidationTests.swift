import ConvergeSchema
import Testing

@Suite struct RowValidationTests {
    private let layout: KindLayout

    init() throws {
        layout = try KindLayout(
            kind(field("flag", .bool), field("text", .string, max: 4), field("raw", .bytes, max: 2)))
    }

    private func error(_ row: [UInt8]) -> SchemaError? {
        refusal { () throws(SchemaError) in try layout.validateRow(row.span.bytes) }
    }

    @Test(
        arguments: [
            ([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .invalidBool, "field 'flag' is a bool of 2: use 0 or 1"),
            (
                [0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0], .valueTooLong,
                "field 'text' takes a string of at most 4 bytes; the value given has 5"
            ),
            (
                [0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 0], .valueTooLong,
                "field 'text' takes a string of at most 4 bytes; the value given has 65,280"
            ),
            (
                [0, 2, 0, 0xC3, 0x28, 0, 0, 0, 0, 0, 0], .invalidUTF8,
                "field 'text' is a string and not valid UTF-8"
            ),
            (
                [0, 1, 0, 0xC3, 0, 0, 0, 0, 0, 0, 0], .invalidUTF8,
                "field 'text' is a string and not valid UTF-8"
            ),
            (
                [0, 1, 0, 65, 0, 0, 1, 0, 0, 0, 0], .nonzeroPadding,
                "field 'text' has 1 bytes, and bytes behind them are not zero"
            ),
            (
                [0, 0, 0, 0, 0, 0, 0, 1, 0, 7, 7], .nonzeroPadding,
                "field 'raw' has 1 bytes, and bytes behind them are not zero"
            ),
            ([0], .wrongLength, "a row of kind 'K' has 11 bytes of data; 1 were given"),
        ] as [([UInt8], SchemaError.Code, String)])
    func badRows(_ row: [UInt8], _ code: SchemaError.Code, _ sentence: String) {
        #expect(error(row)?.code == code)
        #expect(error(row)?.description == sentence)
    }

    @Test func onlyTheExactLengthIsARow() {
        for count in 0...40 where count != layout.fixedBytes {
            #expect(error([UInt8](repeating: 0, count: count))?.code == .wrongLength, "\(count) bytes")
        }
        #expect(error([UInt8](repeating: 0, count: layout.fixedBytes)) == nil)
    }

    /// Decoding is safe on all bytes that hold a fixed zone; what validates also encodes back to the same bytes.
    @Test(arguments: UInt64(1)...300)
    func randomBytesDecode(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let layout = try KindLayout(randomKind(&random))
        let count = layout.fixedBytes + Int.random(in: 0...layout.variableBytesMax, using: &random)
        let row = (0..<count).map { _ in UInt8.random(in: 0...(seed % 2 == 0 ? 1 : 255), using: &random) }
        expectSafe(row, layout, "seed \(seed)")
    }

    /// A valid row with some bytes changed, entries of variable fields among them, or cut off.
    @Test(arguments: UInt64(1)...300)
    func changedRowsAreRefusedOrMeantSo(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let layout = try KindLayout(randomKind(&random))
        let row = try layout.encodeRow(layout.fields.map { ($0.name, randomValue(of: $0, &random)) })
        for round in 0..<20 {
            var changed = row
            for _ in 0...Int.random(in: 0...3, using: &random) {
                changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if layout.variableFields != 0, round % 2 == 0 {
                let ordinal = Ordinals(layout.variableFields).shuffled(using: &random)[0]
                let lie = [0, 1, 0xFF, 0x80].randomElement(using: &random)! as UInt8
                changed[layout.offsets[ordinal] + Int.random(in: 0..<4, using: &random)] = lie
            }
            if round % 5 == 0 {
                changed.removeLast(Int.random(in: 0...changed.count - layout.fixedBytes, using: &random))
            }
            expectSafe(changed, layout, "seed \(seed), round \(round)")
        }
        for count in 0..<row.count {
            let error = refusal { () throws(SchemaError) in
                try layout.validateRow(row.span.bytes.extracting(first: count))
            }
            #expect(error?.code == .wrongLength, "seed \(seed), \(count) bytes")
        }
    }

    private func expectSafe(_ row: [UInt8], _ layout: KindLayout, _ comment: Comment) {
        let values = layout.decodeRow(row)
        #expect(values.count == layout.fields.count, comment)
        guard (try? layout.validateRow(row.span.bytes)) != nil else { return }
        let named = zip(layout.fields, values).map { (name: $0.name, value: $1) }
        #expect(try! layout.encodeRow(named) == row, comment)
    }
}

@Suite struct VariableRowValidationTests {
    private let layout: KindLayout

    init() throws {
        layout = try KindLayout(
            kind(
                field("note", .varstring, max: 4), array("flags", max: 2, .bool),
                array("names", max: 2, .string, elementMax: 2),
                array("points", max: 2, .structure, [member("x", .u8), member("on", .bool)]),
                structure("s", member("on", .bool), member("t", .string, max: 1))))
    }

    /// Fixed zone: four entries and the struct; then what is given.
    private func row(_ entries: [UInt32], s: [UInt8] = [0, 0, 0, 0], _ variable: [UInt8]) -> [UInt8] {
        entries.flatMap { entry in (0..<4).map { UInt8(truncatingIfNeeded: entry >> (8 * $0)) } } + s + variable
    }

    private func error(_ row: [UInt8]) -> SchemaError? {
        refusal { () throws(SchemaError) in try layout.validateRow(row.span.bytes) }
    }

    @Test func validRows() {
        #expect(error(row([0, 0, 0, 0], [])) == nil)
        #expect(
            error(row([3, 2, 1, 1], s: [1, 1, 0, 65], [65, 0xC3, 0xA9, 1, 0, 1, 0, 65, 0, 255, 1])) == nil)
    }

    @Test func badRows() {
        let cases: [([UInt8], SchemaError.Code, String)] = [
            (
                row([5, 0, 0, 0], [65, 65, 65, 65, 65]), .valueTooLong,
                "field 'note' takes a varstring of at most 4 bytes; the value given has 5"
            ),
            (
                row([.max, 0, 0, 0], []), .valueTooLong,
                "field 'note' takes a varstring of at most 4 bytes; the value given has 4,294,967,295"
            ),
            (
                row([0, 3, 0, 0], [0, 0, 0]), .valueTooLong,
                "field 'flags' takes an array of bool, at most 2 elements; the value given has 3"
            ),
            (
                row([2, 0, 0, 0], [65]), .wrongLength,
                "a row of kind 'K' has 22 bytes of data by the entries of its variable fields; 21 were given"
            ),
            (
                row([0, 0, 1, 0], [0, 0, 0, 0, 0]), .wrongLength,
                "a row of kind 'K' has 24 bytes of data by the entries of its variable fields; 25 were given"
            ),
            ([1, 0, 0], .wrongLength, "a row of kind 'K' has at least 20 bytes of data; 3 were given"),
            (row([1, 0, 0, 0], [0xFF]), .invalidUTF8, "field 'note' is a varstring and not valid UTF-8"),
            (row([0, 2, 0, 0], [1, 2]), .invalidBool, "field 'flags[1]' is a bool of 2: use 0 or 1"),
            (
                row([0, 0, 2, 0], [0, 0, 0, 0, 3, 0, 65, 65]), .valueTooLong,
                "field 'names[1]' takes a string of at most 2 bytes; the value given has 3"
            ),
            (
                row([0, 0, 1, 0], [1, 0, 0x80, 0]), .invalidUTF8,
                "field 'names[0]' is a string and not valid UTF-8"
            ),
            (
                row([0, 0, 1, 0], [1, 0, 65, 65]), .nonzeroPadding,
                "field 'names[0]' has 1 bytes, and bytes behind them are not zero"
            ),
            (row([0, 0, 0, 2], [9, 1, 9, 7]), .invalidBool, "field 'points[1].on' is a bool of 7: use 0 or 1"),
            (row([0, 0, 0, 0], s: [3, 0, 0, 0], []), .invalidBool, "field 's.on' is a bool of 3: use 0 or 1"),
            (
                row([0, 0, 0, 0], s: [0, 2, 0, 0], []), .valueTooLong,
                "field 's.t' takes a string of at most 1 bytes; the value given has 2"
            ),
        ]
        for (row, code, sentence) in cases {
            #expect(error(row)?.code == code, "\(sentence)")
            #expect(error(row)?.description == sentence)
        }
    }

    /// Entries that promise more than there is: what is decoded is cut at max and at the end.
    @Test func entriesThatLieAreCut() {
        #expect(layout.decodeRow(row([9, 0, 0, 0], [65, 66, 67, 68, 69]))[0] == .string("ABCD"))
        #expect(layout.decodeRow(row([4, 0, 0, 0], [65]))[0] == .string("A"))
        #expect(layout.decodeRow(row([.max, .max, .max, .max], []))[0] == .string(""))
        #expect(
            layout.decodeRow(row([1, 9, 1, 1], [65, 1, 0, 1, 0, 66]))[0...2]
                == [.string("A"), .array([.bool(true), .bool(false)]), .array([])])
        #expect(
            layout.value(of: 3, in: row([0, 0, 0, 9], [5, 1, 6]))
                == .array([.structure(["x": .unsigned(5), "on": .bool(true)])]))
    }
}
