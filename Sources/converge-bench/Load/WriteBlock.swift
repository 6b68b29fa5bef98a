import ConvergeWire

/// What a block is made of.
enum WriteForm {
    /// Whole rows.
    case asserts
    /// The row's first field alone.
    case patches
    /// Of 100 frames 80 ASSERTs, 10 PATCHes, 5 QUERYs and 5 RETRACTs, in an order that looks random.
    case mixed

    fileprivate enum Item { case assert, patch, query, retract }

    fileprivate func item(_ index: Int) -> Item {
        switch self {
        case .asserts: .assert
        case .patches: .patch
        case .mixed:
            // Odd times the index: every residue of 100 once in 100 items (37 and 100 have no common divisor).
            switch index * 37 % 100 {
            case 0..<80: .assert
            case 80..<90: .patch
            case 90..<95: .query
            default: .retract
            }
        }
    }
}

/// A send's worth of operations, encoded once: before each send it is copied, and only ids and values are set in it.
///
///     unit: one frame, or one BATCH frame with its items
///     ┌────────────┬────────────┬─────┐
///     │ unit       │ unit       │  …  │   about 64 KiB, what the transport keeps in one piece
///     └────────────┴────────────┴─────┘
struct WriteBlock {
    private static let bytesMax = (64 << 10) - 64

    /// Where an operation's id lies in the block, and what is behind it.
    private struct Slot {
        static let noValue: Int32 = 0
        static let query: Int32 = -1

        let id: Int32
        /// From the id to the value; or one of the above.
        let value: Int32
    }

    private let bytes: [UInt8]
    private let slots: [Slot]
    /// Of each unit: its end in `bytes`, and how many queries there are up to it.
    private let ends: [(bytes: Int, queries: Int)]
    /// Operations of a unit.
    let unitOperations: Int
    private var stream = Self.firstStream
    /// The next fill begins here, so that short ones take turns with what the block is made of.
    private var cursor = 0

    /// Units that one fill can have.
    var units: Int { ends.count - cursor }

    /// Streams of queries: 1 is left to requests that are waited for.
    private static let firstStream: UInt16 = 2

    /// - Parameter batch: writes in one BATCH frame; 0: every write is a frame.
    init(_ form: WriteForm, kind: UInt16, row: [UInt8], batch: Int) {
        var frames = FrameWriter()
        var slots: [Slot] = []
        var ends: [(bytes: Int, queries: Int)] = []
        var queries = 0
        let field = [UInt8](repeating: 0, count: 8)
        var unitBytes = 0
        repeat {
            let start = frames.count
            if batch > 0 { frames.beginBatch() }
            for _ in 0..<max(batch, 1) {
                let id = Int32(frames.count + (batch > 0 ? 1 : FrameHeader.bytes) + 4)
                switch form.item(slots.count) {
                case .assert:
                    frames.assert(kind: kind, schema: 1, id: .int(0), data: row)
                    slots.append(Slot(id: id, value: Int32(EntityID.bytes) + 4))
                case .patch:
                    frames.patch(kind: kind, schema: 1, id: .int(0), mask: 1, data: field)
                    slots.append(Slot(id: id, value: Int32(EntityID.bytes) + 8 + 4))
                case .query:
                    frames.message(Query(kind: kind, id: .int(0)), stream: Self.firstStream)
                    slots.append(Slot(id: id, value: Slot.query))
                    queries += 1
                case .retract:
                    frames.retract(kind: kind, id: .int(0))
                    slots.append(Slot(id: id, value: Slot.noValue))
                }
            }
            if batch > 0 { frames.endBatch() }
            ends.append((frames.count, queries))
            unitBytes = max(unitBytes, frames.count - start)
        } while frames.count + unitBytes <= Self.bytesMax || form == .mixed && ends.count < 100
        bytes = frames.bytes
        self.slots = slots
        self.ends = ends
        unitOperations = max(batch, 1)
    }

    /// Bytes of the next `units` units, and how many queries are among them.
    func size(units: Int) -> (bytes: Int, queries: Int) {
        let start = start
        let end = ends[cursor + units - 1]
        return (end.bytes - start.bytes, end.queries - start.queries)
    }

    /// Where the next unit begins.
    private var start: (bytes: Int, queries: Int) { cursor == 0 ? (0, 0) : ends[cursor - 1] }

    /// The next `units` units, with keys from the source, at the front of `room`.
    mutating func fill(_ room: UnsafeMutableRawBufferPointer, units: Int, _ keys: inout some KeySource) {
        guard let front = room.baseAddress else { return }
        let start = start.bytes
        let end = start + size(units: units).bytes
        precondition(end - start <= room.count)
        bytes.withUnsafeBytes { room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
        for index in cursor * unitOperations..<(cursor + units) * unitOperations {
            let slot = slots[index]
            let id = front + (Int(slot.id) - start)
            let (key, value) = keys.next()
            id.storeBytes(of: key.littleEndian, as: UInt64.self)
            if slot.value > 0 {
                id.storeBytes(of: value.littleEndian, toByteOffset: Int(slot.value), as: UInt64.self)
            } else if slot.value == Slot.query {
                restamp(id - FrameHeader.bytes - 4)
            }
        }
        cursor = cursor + units == ends.count ? 0 : cursor + units
    }

    /// Every query under way has a stream of its own.
    private mutating func restamp(_ frame: UnsafeMutableRawPointer) {
        stream = stream == WireLimits.streamMax ? Self.firstStream : stream + 1
        FrameHeader(stream: stream, opcode: .query, payloadBytes: 36)
            .encode(into: UnsafeMutableRawBufferPointer(start: frame, count: FrameHeader.bytes))
    }
}
