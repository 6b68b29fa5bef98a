public import ConvergeWire

/// A subscriber's copy of a kind, kept by the rule for clients (R10).
public struct Mirror: Sendable {
    public struct Row: Equatable, Sendable {
        public var version: UInt64
        public var data: [UInt8]
    }

    public private(set) var rows: [EntityID: Row] = [:]
    /// STATE and DELETED frames taken.
    public private(set) var notifications = 0
    /// Frames that were older than what was held: R3 allows none.
    public private(set) var regressions = 0

    public init() {}

    /// Takes a STATE or DELETED frame; everything else is left alone.
    /// - Returns: whether it was one.
    @discardableResult
    public mutating func take(_ frame: ReceivedFrame) throws -> Bool {
        switch frame.opcode {
        case .state:
            let state = try State(payload: frame.payload.span.bytes)
            notifications += 1
            if let held = rows[state.id], held.version > state.version {
                regressions += 1
            } else {
                rows[state.id] = Row(version: state.version, data: Array(frame.payload[state.data]))
            }
        case .deleted:
            let deleted = try Deleted(payload: frame.payload.span.bytes)
            notifications += 1
            rows[deleted.id] = nil
        case .bootstrapBegin:
            if try frame.decode(BootstrapBegin.self).flags.contains(.reset) { rows = [:] }
            return false
        default: return false
        }
        return true
    }
}
