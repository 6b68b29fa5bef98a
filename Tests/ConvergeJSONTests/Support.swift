import ConvergeJSON
import ConvergeSchema
import Testing

/// The error that parsing `json` gives, if any.
func refusal(_ json: String) -> JSONInputError? { refusal(Array(json.utf8)) }

func refusal(_ json: [UInt8]) -> JSONInputError? {
    refusal { () throws(JSONInputError) in _ = try JSONValue(parsing: json) }
}

func refusal(_ body: () throws(JSONInputError) -> Void) -> JSONInputError? {
    do throws(JSONInputError) {
        try body()
        return nil
    } catch {
        return error
    }
}

func parse(_ json: String) throws -> JSONValue { try JSONValue(parsing: Array(json.utf8)) }

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
