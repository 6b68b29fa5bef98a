import ConvergeSchema
import ConvergeWire

/// What a subscription delivers.
public enum Notification: Sendable {
    /// An entity was created, changed, deleted, or is part of a snapshot.
    case change(Change)
    /// A snapshot, or what was missed, begins.
    case bootstrapBegin(BootstrapBegin)
    /// Everything up to `token` has been delivered; what follows is live.
    case bootstrapEnd(BootstrapEnd)
}

/// One entity's change (R2). At most one an entity and flush.
public struct Change: Sendable {
    public enum What: Sendable {
        case created
        case updated
        /// Its state during catch-up; `changed` is all fields.
        case snapshot
        case deleted(DeletedReason?)
    }

    public let what: What
    public let id: EntityID
    public let version: UInt64
    /// Bit n: source n asserts the entity; 0 when deleted.
    public let sourceSet: UInt64
    /// Bit n: field n differs from before; 0 when deleted.
    public let changed: UInt64
    /// nil when deleted.
    public let row: Row?
    /// The row before, if the subscription asked for it and there was one.
    public let previous: Row?

    /// Names of the changed fields that this client knows.
    public func changedFields(of kind: Kind) -> [String] {
        kind.layout.fieldNames(mask: changed)
    }

    public var isDeleted: Bool { row == nil }
}

extension Notification {
    /// Decodes the frame at `offset` of received frames that were cut before; nil when it is of a type to be ignored.
    ///
    /// - Returns: the notification and where the next frame begins.
    static func decode(
        _ piece: [UInt8], at offset: Int, of kind: Kind
    ) throws(ClientError) -> (notification: Notification, next: Int) {
        let bytes = piece.span.bytes
        guard case .frame(let header) = cutFrame(bytes, at: offset, payloadMax: .max) else {
            throw .violation("a notification is cut off")
        }
        let start = offset + FrameHeader.bytes
        let next = start + header.payloadBytes
        do {
            let payload = bytes.extracting(start..<next)
            switch header.opcode {
            case .state: return (.change(try Change(ConvergeWire.State(payload: payload), piece, start, kind)), next)
            case .deleted: return (.change(try Change(Deleted(payload: payload), piece, start, kind)), next)
            case .bootstrapBegin: return (.bootstrapBegin(try BootstrapBegin(payload: payload)), next)
            default: return (.bootstrapEnd(try BootstrapEnd(payload: payload)), next)
            }
        } catch let error as WireError {
            throw .violation(error.description)
        } catch let error as ClientError {
            throw error
        } catch {
            throw .violation("\(error)")
        }
    }
}

extension Change {
    fileprivate init(_ state: ConvergeWire.State, _ piece: [UInt8], _ payload: Int, _ kind: Kind) throws(ClientError) {
        switch state.type {
        case .created: what = .created
        case .updated: what = .updated
        case .snapshot: what = .snapshot
        }
        id = state.id
        version = state.version
        sourceSet = state.sourceSet
        changed = state.changed
        let fixed = Int(state.fixedBytes)
        row = try Self.row(kind, piece, payload, state.data, fixed)
        previous = try state.previous.map { range throws(ClientError) in
            try Self.row(kind, piece, payload, range, fixed)
        }
    }

    fileprivate init(_ deleted: Deleted, _ piece: [UInt8], _ payload: Int, _ kind: Kind) throws(ClientError) {
        what = .deleted(DeletedReason(rawValue: deleted.reason))
        id = deleted.id
        version = deleted.version
        sourceSet = 0
        changed = 0
        row = nil
        previous = try deleted.previous.map { range throws(ClientError) in
            try Self.row(kind, piece, payload, range, Int(deleted.fixedBytes))
        }
    }

    private static func row(
        _ kind: Kind, _ piece: [UInt8], _ payload: Int, _ range: Range<Int>, _ fixedBytes: Int
    ) throws(ClientError) -> Row {
        try Row(kind, piece, payload + range.lowerBound..<payload + range.upperBound, fixedBytes: fixedBytes)
    }
}
