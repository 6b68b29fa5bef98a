import ConvergeTransport
import ConvergeWire

/// Something that the run does wrong itself, now and then, to prove that it would be found.
struct Fault {
    enum Kind: String, CaseIterable {
        /// A notification is not looked at.
        case drop
        /// A notification comes behind the next one of its entity.
        case reorder
        /// A notification comes twice.
        case `repeat`
        /// A byte of a notification's row is another.
        case corrupt
        /// The model does not know of a write.
        case forget

        /// Whether the sentence is the one that this fault has to lead to, and not another failure.
        func isFound(by sentence: String) -> Bool {
            let words =
                switch self {
                case .drop: ["one in between was not told", "but a QUERY says", "had been synced before"]
                case .reorder: ["one in between was not told", "had been told before", "but a QUERY says"]
                case .repeat: ["had been told before"]
                case .corrupt: ["is torn"]
                case .forget:
                    [
                        "but the last that", "but it wrote", "but it had written", "had asserted it",
                        "had been synced before",
                    ]
                }
            return words.contains { sentence.contains($0) }
        }

        static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
    }

    let kind: Kind
    /// One in so many opportunities is taken.
    private let every: Int
    private var opportunities = 0
    /// The entity of the frame that is kept for later, and the frame.
    var kept: (subscriber: Int, id: EntityID, header: FrameHeader, payload: [UInt8])?

    init(_ kind: Kind, every: Int) {
        self.kind = kind
        self.every = every
    }

    /// Whether it is to happen now.
    mutating func takes(_ kind: Kind) -> Bool {
        guard kind == self.kind else { return false }
        opportunities += 1
        return opportunities % every == 0
    }
}

extension Subscriber {
    /// `notify`, with the fault that the run was told.
    func notifyWrongly(_ header: FrameHeader, _ payload: RawSpan) throws(StressFailure) {
        let id = EntityID(loading: payload, at: 8)
        if let kept = world.fault?.kept, kept.subscriber == number, kept.id == id {
            world.fault?.kept = nil
            try notify(header, payload)
            return try notify(kept.header, kept.payload.span.bytes)
        }
        // Of a change: a snapshot may be sent twice.
        guard header.opcode == .state, payload.unsafeLoad(fromByteOffset: 4, as: UInt8.self) == 2 else {
            return try notify(header, payload)
        }
        if world.fault?.takes(.drop) == true { return }
        let isKept = world.fault?.takes(.reorder) == true
        let isCorrupt = world.fault?.takes(.corrupt) == true
        if isKept || isCorrupt {
            var copy = payload.withUnsafeBytes { Array($0) }
            if isKept {
                world.fault?.kept = (number, id, header, copy)
                return
            }
            copy[80] ^= 1
            return try notify(header, copy.span.bytes)
        }
        try notify(header, payload)
        if world.fault?.takes(.repeat) == true { try notify(header, payload) }
    }
}
