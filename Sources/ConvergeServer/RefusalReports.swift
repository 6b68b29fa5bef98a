import ConvergeEngine
import ConvergeSchema
import ConvergeWire

/// A write that was refused, as plain data: its sentence is made only if it is sent.
struct RefusedWrite {
    /// What the sentence needs to know of the write.
    struct Facts {
        let source: UInt8
        let schema: UInt8
        let mask: UInt64
        let dataBytes: Int
    }

    enum Reason {
        case status(EngineStatus, field: Int?, Facts)
        /// A value inside an array or a struct; the sentence names it by its path.
        case value(EngineStatus, SchemaError)
        case malformed(WireError)
    }

    let opcode: Opcode
    let ordinal: UInt64
    var kind: UInt16 = 0
    var id = EntityID(words: (0, 0, 0, 0))
    let reason: Reason
}

/// The reports of one connection: at most 100 a second; of the rest the last is held, the others are counted (W4).
struct RefusalReports {
    private var second: Int64 = 0
    private var sent = 0
    private(set) var held: RefusedWrite?
    /// Refusals before the next report that nobody has been told of, the held one not included.
    private var untold: UInt32 = 0

    /// When the held one may be sent.
    var due: Int64 { second + 1_000_000 }

    /// Whether `admits` would say so: what costs more than a number is found out for those alone who are told.
    func wouldAdmit(at now: Int64) -> Bool { now >= due || sent < ServerLimits.reportsPerSecond }

    /// Whether one more may be sent now.
    mutating func admits(at now: Int64) -> Bool {
        guard wouldAdmit(at: now) else { return false }
        if now >= due {
            second = now
            sent = 0
        }
        sent += 1
        return true
    }

    mutating func hold(_ write: RefusedWrite) {
        if held != nil { untold += 1 }
        held = write
    }

    /// How many refusals before a report that is now sent went untold. With `held` false the held one is among them.
    mutating func takeUntold(sendingHeld: Bool) -> UInt32 {
        defer {
            held = nil
            untold = 0
        }
        return untold + (held != nil && !sendingHeld ? 1 : 0)
    }
}

/// When held reports are looked at again; nil: there are none.
struct ReportTimer {
    private(set) var deadline: Int64?

    mutating func schedule(_ time: Int64) { deadline = min(deadline ?? time, time) }
    mutating func clear() { deadline = nil }
}

extension Shard {
    /// Reports a refused write now, or holds it when the second's reports are used up, or the connection takes none.
    mutating func report(_ slot: Int, _ write: RefusedWrite) {
        guard sessions[slot].isAlive else { return }
        if !hasUntakenReplies(slot, above: ServerLimits.repliesMax), sessions[slot].reports.admits(at: now) {
            let repeated = sessions[slot].reports.takeUntold(sendingHeld: false)
            send(slot, write, repeated: repeated)
        } else {
            sessions[slot].reports.hold(write)
            reports.schedule(now + 1_000_000)
        }
    }

    /// Sends the connection's held report, if there is one and the limit allows it now.
    mutating func sendHeldReport(_ slot: Int) {
        guard !hasUntakenReplies(slot, above: ServerLimits.repliesMax), let write = sessions[slot].reports.held,
            sessions[slot].reports.admits(at: now)
        else { return }
        let repeated = sessions[slot].reports.takeUntold(sendingHeld: true)
        send(slot, write, repeated: repeated)
    }

    /// Sends what has been held for a second.
    mutating func sendHeldReports() {
        guard let deadline = reports.deadline, deadline <= now else { return }
        reports.clear()
        for slot in sessions.slots where sessions[slot].reports.held != nil {
            sendHeldReport(slot)
            if sessions[slot].reports.held != nil { reports.schedule(now + 1_000_000) }
        }
    }

    private mutating func send(_ slot: Int, _ write: RefusedWrite, repeated: UInt32) {
        reply(
            slot, stream: 0,
            ErrorMessage(
                code: write.code, opcode: write.opcode.rawValue, fatal: false, kind: write.kind,
                repeated: repeated, write: write.ordinal, id: write.id, message: write.sentence(registry)))
    }
}
