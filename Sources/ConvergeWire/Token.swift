/// A point in the history of a kind's partitions, from which a subscription can resume (R4).
public struct Token: Hashable, Sendable {
    public var lineage: UInt64
    /// By partition: everything up to this flush is known.
    public var sequences: [UInt64]

    /// `sequences` has 1 to 65,535 elements; a token on the wire has at most 65,535 bytes: 8,190 partitions.
    public init(lineage: UInt64, sequences: [UInt64]) {
        self.lineage = lineage
        self.sequences = sequences
    }

    public init(bytes: some Collection<UInt8>) throws(WireError) {
        let bytes = Array(bytes)
        guard bytes.count >= 12 else {
            throw WireError(
                .malformedMessage, "a token has at least 20 bytes; this one has \(bytes.count): send it back as it came"
            )
        }
        guard bytes[0] == 1, bytes[1] == 0 else {
            throw WireError(
                .malformedMessage,
                "a token begins with format 1 and a zero; this one with \(bytes[0]) and \(bytes[1]): "
                    + "subscribe without a token")
        }
        let partitions = Int(bytes[2]) | Int(bytes[3]) << 8
        guard partitions > 0, bytes.count == 12 + 8 * partitions else {
            throw WireError(
                .malformedMessage,
                "a token of \(partitions) partitions has 12 + 8 x \(partitions) bytes; this one has \(bytes.count): "
                    + "send it back as it came")
        }
        func number(at offset: Int) -> UInt64 {
            (0..<8).reversed().reduce(0) { $0 << 8 | UInt64(bytes[offset + $1]) }
        }
        lineage = number(at: 4)
        sequences = (0..<partitions).map { number(at: 12 + 8 * $0) }
    }

    public var bytes: [UInt8] {
        var encoded = [UInt8](repeating: 0, count: 12 + 8 * sequences.count)
        encoded.withUnsafeMutableBytes { buffer in
            var writer = PayloadWriter(buffer)
            writer.number(1 as UInt8)
            writer.zeros(1)
            writer.number(UInt16(sequences.count))
            writer.number(lineage)
            for sequence in sequences { writer.number(sequence) }
        }
        return encoded
    }
}
