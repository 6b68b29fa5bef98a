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
        for count in 0...40 where count != layout.rowBytes {
            #expect(error([UInt8](repeating: 0, count: count))?.code == .wrongLength, "\(count) bytes")
        }
        #expect(error([UInt8](repeating: 0, count: layout.rowBytes)) == nil)
    }

    /// Decoding is safe on every row of the right length; what validates also encodes back to the same bytes.
    @Test(arguments: UInt64(1)...200)
    func randomBytesDecode(_ seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let layout = try KindLayout(randomKind(&random))
        let row = (0..<layout.rowBytes).map { _ in UInt8.random(in: 0...(seed % 2 == 0 ? 1 : 255), using: &random) }
        let values = layout.decodeRow(row)
        #expect(values.count == layout.fields.count)
        guard (try? layout.validateRow(row.span.bytes)) != nil else { return }
        let named = zip(layout.fields, values).map { (name: $0.name, value: $1) }
        #expect(try layout.encodeRow(named) == row, "seed \(seed)")
    }
}
