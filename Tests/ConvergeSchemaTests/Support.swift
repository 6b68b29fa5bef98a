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

func array(_ name: String, max: Int, _ element: FieldType, elementMax: Int = 0, _ members: [MemberDefinition] = [])
    -> FieldDefinition
{
    FieldDefinition(name: name, type: .array, max: max, element: element, elementMax: elementMax, members: members)
}

func structure(_ name: String, _ members: MemberDefinition...) -> FieldDefinition {
    FieldDefinition(name: name, type: .structure, members: members)
}

func member(_ name: String, _ type: FieldType, max: Int = 0) -> MemberDefinition {
    MemberDefinition(name: name, type: type, max: max)
}

/// A field of the type, with what it needs.
func anyField(_ type: FieldType, max: Int = 4) -> FieldDefinition {
    switch type {
    case .array: array(type.name, max: max, .u16)
    case .structure: structure(type.name, member("a", .u8), member("b", .string, max: max))
    default: field(type.name, type, max: type.hasMax ? max : 0)
    }
}

/// A valid definition, all types and attributes among them.
func randomKind(_ random: inout SplitMix) -> KindDefinition {
    let fields = (0..<Int.random(in: 1...64, using: &random)).map { ordinal in
        let type = FieldType.allCases.randomElement(using: &random)!
        var field = FieldDefinition(
            name: "field-\(ordinal).x", type: type, max: type.hasMax ? Int.random(in: 1...300, using: &random) : 0,
            owners: Bool.random(using: &random) ? random.next() : 0,
            onRetract: OnRetract.allCases.randomElement(using: &random)!)
        if type == .array {
            field.max = Int.random(in: 1...12, using: &random)
            field.element = FieldType.allCases.filter(\.isElement).randomElement(using: &random)!
            field.elementMax = field.element!.hasMax ? Int.random(in: 1...20, using: &random) : 0
        }
        if type == .structure || field.element == .structure {
            field.members = (0..<Int.random(in: 1...6, using: &random)).map { index in
                let type = FieldType.allCases.filter(\.isInline).randomElement(using: &random)!
                return member("m\(index)", type, max: type.hasMax ? Int.random(in: 1...20, using: &random) : 0)
            }
        }
        return field
    }
    return KindDefinition(
        name: "_Kind-\(random.next())", durability: Durability.allCases.randomElement(using: &random)!,
        schema: UInt8.random(in: 1...255, using: &random), fields: fields)
}

/// A value that the field takes, as decoding gives it.
func randomValue(of field: FieldDefinition, _ random: inout SplitMix) -> Value {
    switch field.type {
    case .array:
        return .array(
            (0..<Int.random(in: 0...field.max, using: &random)).map { _ in
                field.element == .structure
                    ? randomMembers(of: field, &random) : randomInline(field.element!, field.elementMax, &random)
            })
    case .structure: return randomMembers(of: field, &random)
    default: return randomInline(field.type, field.max, &random)
    }
}

private func randomMembers(of field: FieldDefinition, _ random: inout SplitMix) -> Value {
    var values: [String: Value] = [:]
    for member in field.members { values[member.name] = randomInline(member.type, member.max, &random) }
    return .structure(values)
}

private func randomInline(_ type: FieldType, _ max: Int, _ random: inout SplitMix) -> Value {
    let bits = UInt128(random.next()) << 64 | UInt128(random.next())
    if let max = type.unsignedMax { return .unsigned(bits & max) }
    if let range = type.signedRange { return .signed(Int64.random(in: range, using: &random)) }
    let count = Int.random(in: 0...Swift.max(max, 1), using: &random)
    switch type {
    case .f32: return .float(Double(Float(Int32(truncatingIfNeeded: bits)) / 16))
    case .f64: return .float(Double(Int64(truncatingIfNeeded: bits)) / 16)
    case .bool: return .bool(bits & 1 != 0)
    case .string, .varstring: return .string(String(repeating: "x", count: count))
    default: return .bytes((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
}
