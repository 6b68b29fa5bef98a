import ConvergeSchema
import Testing

/// A seeded generator, so that a failing run can be repeated.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

let flight = KindDefinition(
    name: "Flight",
    fields: [
        FieldDefinition(name: "status", type: .string, max: 12),
        FieldDefinition(name: "delay_minutes", type: .i16),
        FieldDefinition(name: "gate", type: .u8, owners: 0b100, onRetract: .clear),
    ])

func kind(_ fields: FieldDefinition...) -> KindDefinition { KindDefinition(name: "K", fields: fields) }

func field(_ name: String, _ type: FieldType, max: Int = 0) -> FieldDefinition {
    FieldDefinition(name: name, type: type, max: max)
}

/// The error that `body` throws.
func refusal(_ body: () throws(SchemaError) -> Void) -> SchemaError? {
    do throws(SchemaError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// A valid definition, all types and attributes among them.
func randomKind(_ random: inout SplitMix) -> KindDefinition {
    let types = FieldType.allCases.filter(\.isAvailable)
    let fields = (0..<Int.random(in: 1...64, using: &random)).map { ordinal in
        let type = types.randomElement(using: &random)!
        return FieldDefinition(
            name: "field-\(ordinal).x", type: type, max: type.hasMax ? Int.random(in: 1...300, using: &random) : 0,
            owners: Bool.random(using: &random) ? random.next() : 0,
            onRetract: OnRetract.allCases.randomElement(using: &random)!)
    }
    return KindDefinition(
        name: "_Kind-\(random.next())", durability: Durability.allCases.randomElement(using: &random)!,
        schema: UInt8.random(in: 1...255, using: &random), fields: fields)
}
