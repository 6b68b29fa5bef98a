import ConvergeSchema

/// The kind that is written: rows of exactly so many bytes, of which the first eight are a number that every write sets.
enum BenchKind {
    static let rowBytes = 8...60_000

    /// `u64` fields as far as they go, the rest in a `bytes` field, or in a number where the rest is too short for one.
    static func definition(rowBytes: Int, durability: Durability) -> KindDefinition {
        let numbers = min(rowBytes / 8, SchemaLimits.fields - 1)
        var fields = (0..<numbers).map { FieldDefinition(name: "n\($0)", type: .u64) }
        switch rowBytes - numbers * 8 {
        case 0: break
        case 1: fields.append(FieldDefinition(name: "rest", type: .u8))
        case 2: fields.append(FieldDefinition(name: "rest", type: .u16))
        case let rest: fields.append(FieldDefinition(name: "rest", type: .bytes, max: rest - 2))
        }
        let letter = durability == .durable ? "d" : "e"
        return KindDefinition(name: "bench_\(rowBytes)_\(letter)", durability: durability, fields: fields)
    }

    /// A valid row, all of its bytes in use.
    static func row(of definition: KindDefinition) throws -> [UInt8] {
        var values: [(name: String, value: Value)] = []
        for (ordinal, field) in definition.fields.enumerated() {
            if field.type == .bytes {
                values.append((field.name, .bytes([UInt8](repeating: 0x5A, count: field.max))))
            } else {
                values.append((field.name, .unsigned(UInt128(ordinal + 1))))
            }
        }
        return try KindLayout(definition).encodeRow(values)
    }
}
