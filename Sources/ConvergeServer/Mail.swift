import ConvergeEngine
import ConvergeLanes
import ConvergeTransport

/// What one shard does on another: rare things, which need no layout of their own.
typealias Job = (inout Shard) -> Void

private final class JobBox: @unchecked Sendable {
    let job: Job
    init(_ job: @escaping Job) { self.job = job }

    static func retain(_ job: @escaping Job) -> UnsafeMutableRawPointer {
        Unmanaged.passRetained(JobBox(job)).toOpaque()
    }

    static func take(_ pointer: UnsafeRawPointer) -> Job {
        Unmanaged<JobBox>.fromOpaque(pointer).takeRetainedValue().job
    }
}

/// An entry of an `answers` lane: a job, or a slice of a segment, which it holds a reference to.
struct Answer: BitwiseCopyable {
    enum What: UInt8 { case job, notifications, catchUp }

    var what = What.job.rawValue
    var `class`: UInt8 = 0
    var partition: UInt16 = 0
    var kind: UInt16 = 0
    /// Of the subscription that a catch-up slice is for.
    var serial: UInt32 = 0
    var connection: UInt64 = 0
    var job: UnsafeMutableRawPointer?
    var segment: OpaquePointer?
    var offset: UInt32 = 0
    var bytes: UInt32 = 0
    var frames: UInt32 = 0
}

/// One shard's ends of the lanes.
///
///     requests   connection's shard ─▶ partition's shard     writes as they lie in the lane, jobs
///     answers    partition's shard ─▶ connection's shard     slices by reference, jobs
///
/// Invariants
///   1. `answers` are emptied whatever else the shard does, and nothing that is done about them needs room in a lane.
///   2. Requests of a shard are taken only while the `answers` to it have room for what they can bring about.
///   3. A job that finds no room waits in a list in front of its lane, and nothing overtakes it. Slices find room or are
///      not sent: their readers catch up.
///   4. Who waits for room in `requests` goes on with 1 and 2 meanwhile: so nobody waits in a circle.
struct Mail {
    let number: Int
    let shards: Int
    private let context: ShardContext
    /// By shard: jobs that wait for room.
    private var asked: [[UnsafeMutableRawPointer]]
    private var told: [[UnsafeMutableRawPointer]]
    /// By shard: told when everything has been handed over to all shards.
    private var toldLast: [(shard: Int, job: Job)] = []
    /// Operations forwarded.
    var forwarded: UInt64 = 0
    /// Wake-ups of other shards.
    private(set) var wakes: UInt64 = 0

    init(_ context: ShardContext, number: Int) {
        self.context = context
        self.number = number
        shards = context.shards
        asked = Array(repeating: [], count: shards)
        told = Array(repeating: [], count: shards)
    }

    var others: [Int] { (0..<shards).filter { $0 != number } }

    @inline(__always)
    private func requests(to shard: Int) -> Lane { context.requests[number * shards + shard].unsafelyUnwrapped }
    private func answers(to shard: Int) -> Lane { context.answers[number * shards + shard].unsafelyUnwrapped }
    func requests(from shard: Int) -> Lane { context.requests[shard * shards + number].unsafelyUnwrapped }
    func answers(from shard: Int) -> Lane { context.answers[shard * shards + number].unsafelyUnwrapped }

    // ----------------------------------------------------------------------------------------------------- sending

    /// Copies a write, with the connection that it came by in front of its id.
    /// - Returns: false: the lane is full.
    @inline(__always)
    mutating func forward(_ operation: Operation, _ connection: Connection, dataBytes: Int, to shard: Int) -> Bool {
        guard asked[shard].isEmpty, let room = requests(to: shard).push(bytes: ForwardedWrite.headBytes + dataBytes),
            let bytes = room.bytes
        else { return false }
        room.entry.storeBytes(
            of: ForwardedWrite.place(operation, connection: connection.rawValue, dataBytes: dataBytes, in: bytes),
            as: Operation.self)
        forwarded += 1
        return true
    }

    mutating func ask(_ shard: Int, _ job: @escaping Job) {
        let box = JobBox.retain(job)
        if !asked[shard].isEmpty || !pushRequest(box, to: shard) { asked[shard].append(box) }
    }

    mutating func tell(_ shard: Int, _ job: @escaping Job) {
        let box = JobBox.retain(job)
        if !told[shard].isEmpty || !pushAnswer(Answer(job: box), to: shard) { told[shard].append(box) }
    }

    /// Behind everything that this turn hands over, to whatever shard: who is told may answer somebody who then asks another.
    mutating func tellLast(_ shard: Int, _ job: @escaping Job) { toldLast.append((shard, job)) }

    private func pushRequest(_ job: UnsafeMutableRawPointer, to shard: Int) -> Bool {
        guard let room = requests(to: shard).push() else { return false }
        room.entry.storeBytes(of: Operation(job: job), as: Operation.self)
        return true
    }

    private func pushAnswer(_ answer: Answer, to shard: Int) -> Bool {
        guard let room = answers(to: shard).push() else { return false }
        room.entry.storeBytes(of: answer, as: Answer.self)
        return true
    }

    /// Whether so many slices find room, and leave enough for what requests may bring about.
    func hasRoom(for slices: Int, to shard: Int) -> Bool {
        told[shard].isEmpty && answers(to: shard).room >= slices + 2 * ServerLimits.requestsAtOnce
    }

    /// After `hasRoom`. The answer's reference to its segment goes with it.
    func send(_ answer: Answer, to shard: Int) {
        let isThere = pushAnswer(answer, to: shard)
        precondition(isThere, "there was room")
    }

    /// Hands over what was pushed, and wakes who sleeps: once a shard.
    mutating func publish() {
        publishLanes()
        guard !toldLast.isEmpty else { return }
        let last = toldLast
        toldLast.removeAll(keepingCapacity: true)
        for (shard, job) in last { tell(shard, job) }
        publishLanes()
    }

    private mutating func publishLanes() {
        for shard in 0..<shards where shard != number {
            asked[shard].removeFirst(asked[shard].prefix { pushRequest($0, to: shard) }.count)
            told[shard].removeFirst(told[shard].prefix { pushAnswer(Answer(job: $0), to: shard) }.count)
            let sleeps = (requests(to: shard).publish(), answers(to: shard).publish())
            if sleeps.0 || sleeps.1 { wake(shard) }
        }
    }

    mutating func wake(_ shard: Int) {
        wakes += 1
        context.wakers[shard].wake()
    }

    // --------------------------------------------------------------------------------------------------- receiving

    /// Whether requests of the shard may be taken (invariant 2).
    func canAnswer(_ shard: Int) -> Bool { hasRoom(for: 0, to: shard) }

    /// Before waiting for events: whether nothing is there that can be gone on with; then whoever sends or makes room wakes us.
    func sleep() -> Bool {
        var sleeps = true
        for shard in 0..<shards where shard != number {
            let mayTake = canAnswer(shard) || !answers(to: shard).wantRoom()
            if !answers(from: shard).sleep() { sleeps = false }
            if mayTake, !requests(from: shard).sleep() { sleeps = false }
            if !asked[shard].isEmpty, !requests(to: shard).wantRoom() { sleeps = false }
            if !told[shard].isEmpty, !answers(to: shard).wantRoom() { sleeps = false }
        }
        return sleeps
    }

    func awake() {
        for shard in 0..<shards where shard != number {
            answers(from: shard).awake()
            requests(from: shard).awake()
        }
    }

    /// What was never taken, at the end.
    mutating func drop() {
        for shard in 0..<shards where shard != number {
            for box in asked[shard] + told[shard] { _ = JobBox.take(box) }
            asked[shard] = []
            told[shard] = []
        }
    }

    // -------------------------------------------------------------------------------------------------- statistics

    var statistics: (pushed: UInt64, full: UInt64, peak: UInt64) {
        var sum: (pushed: UInt64, full: UInt64, peak: UInt64) = (0, 0, 0)
        for shard in others {
            for lane in [requests(to: shard), answers(to: shard)] {
                let stats = lane.statistics
                sum = (sum.pushed + stats.pushed, sum.full + stats.full, max(sum.peak, stats.entriesPeak))
            }
        }
        return sum
    }
}

extension Shard {
    /// Runs the job on the shard that it is for, now if that is this one. Requests: in the order of the connection's writes.
    mutating func ask(_ shard: Int, _ job: @escaping Job) {
        if shard == number { job(&self) } else { mail.ask(shard, job) }
    }

    mutating func tell(_ shard: Int, _ job: @escaping Job) {
        if shard == number { job(&self) } else { mail.tell(shard, job) }
    }

    /// Does it now, or, where there are several shards, when everything has been taken that others had sent before.
    mutating func afterMail(_ job: @escaping Job) {
        if context.shards == 1 { job(&self) } else { afterMail.append(job) }
    }

    mutating func tellLast(_ shard: Int, _ job: @escaping Job) {
        if shard == number { job(&self) } else { mail.tellLast(shard, job) }
    }

    /// Asks every shard, and goes on here when all have answered, in their order. Each answers behind what others had sent it
    /// by the time that it was asked.
    mutating func gather<Part: Sendable>(
        _ part: @escaping @Sendable (inout Shard) -> Part, _ then: @escaping (inout Shard, [Part]) -> Void
    ) {
        let gathering = Gathering<Part>(context.shards)
        let here = number
        for shard in 0..<context.shards {
            ask(shard) { there in
                there.afterMail { there in
                    let answer = part(&there)
                    there.tell(here) { home in
                        gathering.parts[shard] = answer
                        gathering.left -= 1
                        if gathering.left == 0 { then(&home, gathering.parts.map { $0! }) }
                    }
                }
            }
        }
    }

    /// Sends what is queued before the turn ends: behind what other shards are to be handed (W4).
    mutating func sendNow() {
        if context.shards > 1 { mail.publish() }
        transport.flush()
    }

    // -------------------------------------------------------------------------------------------------------- taking

    /// Takes what has come: every answer, and requests as far as they can be answered.
    /// - Returns: whether anything was there.
    @discardableResult
    mutating func takeMail() -> Bool {
        guard context.shards > 1 else { return false }
        var took = false
        for shard in 0..<context.shards where shard != number { took = takeAnswers(from: shard) || took }
        var after: [Job] = []
        swap(&after, &afterMail)
        for shard in 0..<context.shards where shard != number { took = takeRequests(from: shard) || took }
        for job in after { job(&self) }
        return took || !after.isEmpty
    }

    private mutating func takeAnswers(from shard: Int) -> Bool {
        let lane = mail.answers(from: shard)
        var taken = 0
        while taken < ServerLimits.laneEntries, let run = lane.take() {
            let answers = run.entries.assumingMemoryBound(to: Answer.self)
            for index in 0..<run.count { take(answers[index], from: shard) }
            taken += run.count
            if lane.release(run.count) { mail.wake(shard) }
        }
        return taken > 0
    }

    private mutating func take(_ answer: Answer, from shard: Int) {
        switch Answer.What(rawValue: answer.what) {
        case .job: JobBox.take(answer.job.unsafelyUnwrapped)(&self)
        case .notifications: deliver(answer)
        case .catchUp: deliverCatchUp(answer, from: shard)
        case nil: preconditionFailure("an answer is of no kind")
        }
    }

    private mutating func takeRequests(from shard: Int) -> Bool {
        let lane = mail.requests(from: shard)
        var taken = 0
        while taken < ServerLimits.laneEntries, mail.canAnswer(shard), let run = lane.take() {
            let count = min(run.count, ServerLimits.requestsAtOnce)
            take(OperationRun(entries: run.entries, count: count), from: shard)
            taken += count
            if lane.release(count) { mail.wake(shard) }
        }
        return taken > 0
    }

    /// Writes one behind the other are applied together; a job between them keeps its place.
    private mutating func take(_ run: OperationRun, from shard: Int) {
        var start = 0
        while start < run.count {
            var end = start
            while end < run.count, run[end].job == nil { end += 1 }
            if end > start {
                applyForwarded(run[start..<end], from: shard)
                start = end
            } else if let job = run[start].job {
                JobBox.take(job)(&self)
                start += 1
            }
        }
    }

    // ------------------------------------------------------------------------------------------------------- waiting

    /// The requests to a shard are full. Nothing is read meanwhile, but what comes from other shards is gone on with.
    mutating func waitForRoom(in shard: Int) {
        counters.waitsForRoom += 1
        mail.publish()
        if !takeMail() { pause(microseconds: 20) }
        mail.publish()
    }
}

/// The answers of all shards, on the shard that asked.
private final class Gathering<Part: Sendable>: @unchecked Sendable {
    var parts: [Part?]
    var left: Int

    init(_ shards: Int) {
        parts = Array(repeating: nil, count: shards)
        left = shards
    }
}
