import ConvergeTestSupport
import ConvergeWire
import Glibc
import Testing

/// converge-bench against a server that does not tell the truth: every lie fails the run, and says which check saw it. A
/// benchmark that believes anything would measure nothing.
@Suite struct BenchLiesTests {
    struct Lie: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let arguments: [String]
        /// Of the sentence.
        let words: String
        let tell: @Sendable () -> LyingServer.Lie

        init(
            _ description: String, _ workload: [String], _ words: String,
            _ tell: @escaping @Sendable () -> LyingServer.Lie
        ) {
            testDescription = description
            arguments = workload
            self.words = words
            self.tell = tell
        }
    }

    // MARK: Notifications

    /// Some dozens of windows, in which every entity changes many times.
    private static let windows = ["--entities", "40", "--rate", "4000", "--operations", "3000"]
    private static let fanout = ["fanout", "--subscribers", "1"] + windows
    private static let mixed = ["mixed", "--subscribers", "1", "--connections", "2", "--keys", "uniform"] + windows

    private static let hot = ["hot", "--rate", "200000", "--operations", "40000"]

    /// The first STATE from this version on becomes these.
    private static func once(
        _ version: UInt64, _ become: @escaping @Sendable (Told) -> [Told]
    ) -> @Sendable () -> LyingServer.Lie {
        {
            var isTold = false
            return { frame in
                guard !isTold, frame.opcode == .state, frame.version >= version else { return [frame] }
                isTold = true
                return become(frame)
            }
        }
    }

    static let ofNotifications: [Lie] = [
        Lie("a notification is lost", fanout, "1 without the one before", once(3) { _ in [] }),
        Lie("a notification is lost, with deletions", mixed, "1 without the one before", once(3) { _ in [] }),
        Lie("a notification comes twice", fanout, " 1 twice", once(3) { [$0, $0] }),
        Lie("a notification comes twice, hot", hot, " 1 twice", once(2) { [$0, $0] }),
        Lie(
            "a notification is about nobody's entity", fanout, "1 of entities that are not of this run",
            once(3) {
                var other = $0
                other.key = 40
                return [$0, other]
            }),
        Lie(
            "an older state comes after a newer one", fanout, "1 states older",
            {
                var old: Told?
                var isTold = false
                return { frame in
                    guard frame.opcode == .state, frame.key == 7, !isTold else { return [frame] }
                    defer { old = frame }
                    guard let old else { return [frame] }
                    isTold = true
                    // And the newer again, so that nothing is missing behind it.
                    return [frame, old, frame]
                }
            }),
        Lie(
            "one entity is never told of again", ["fanout", "--subscribers", "2"] + windows,
            "2 subscribers have not got",
            { { $0.opcode == .state && $0.key == 7 && $0.version > 3 ? [] : [$0] } }),
        Lie(
            "notifications name another entity", fanout, "",
            {
                { frame in
                    guard frame.opcode == .state, frame.key == 7 else { return [frame] }
                    var other = frame
                    other.key = 8
                    return [other]
                }
            }),
        Lie("deletions are kept back", mixed, "have not got", { { $0.opcode == .deleted ? [] : [$0] } }),
        Lie(
            "who was deleted does not come back", mixed, "have not got",
            {
                var deleted: Set<UInt64> = []
                return { frame in
                    guard frame.opcode == .state || frame.opcode == .deleted else { return [frame] }
                    if deleted.contains(frame.key) { return [] }
                    if frame.opcode == .deleted { deleted.insert(frame.key) }
                    return [frame]
                }
            }),
        Lie(
            "a state is repeated behind everything else", fanout, " 1 twice",
            {
                var last: Told?
                var ends = 0
                return { frame in
                    if frame.opcode == .state { last = frame }
                    // The second is asked for when the run is over.
                    if frame.opcode == .heartbeatAck { ends += 1 }
                    guard frame.opcode == .heartbeatAck, ends == 2, let last else { return [frame] }
                    usleep(300_000)
                    return [last, frame]
                }
            }),
        Lie(
            "hardly a window is owned to", hot, "more than one an entity and window",
            { { $0.opcode == .adminReply ? [$0.replacingNumber(behind: "\"changed\":")] : [$0] } }),
        Lie(
            "writes are refused in silence",
            ["assert", "--entities", "40", "--operations", "100", "--connections", "1"], "refused 1 writes",
            {
                { frame in
                    guard frame.opcode == .synced else { return [frame] }
                    var other = frame
                    other.payload[8] += 1
                    return [other]
                }
            }),
    ]

    // MARK: Bootstraps

    private static let bootstrap = ["bootstrap", "--entities", "300", "--readers", "1"]

    /// The first snapshot becomes these, and the number at the end is right.
    private static func snapshot(_ become: @escaping @Sendable (Told) -> [Told]) -> @Sendable () -> LyingServer.Lie {
        {
            var more = 0
            var isTold = false
            return { frame in
                if frame.opcode == .bootstrapEnd {
                    var end = frame
                    end.payload[8...9] = [
                        UInt8(truncatingIfNeeded: Int(frame.number(8, 8)) + more),
                        UInt8(truncatingIfNeeded: (Int(frame.number(8, 8)) + more) >> 8),
                    ]
                    return [end]
                }
                guard frame.opcode == .state, !isTold else { return [frame] }
                isTold = true
                let frames = become(frame)
                more = frames.count - 1
                return frames
            }
        }
    }

    static let ofBootstraps: [Lie] = [
        Lie("a row is dropped", bootstrap, "says it sent 300 states, but 299 came", once(1) { _ in [] }),
        Lie("a row is dropped, and not counted", bootstrap, "1 readers lack 1 rows", snapshot { _ in [] }),
        Lie("a row comes twice, and is counted", bootstrap, "told 301 states, not 300", snapshot { [$0, $0] }),
    ]

    // MARK: Answers

    private static let query = ["query", "--entities", "300", "--operations", "3000"]
    private static let oneByOne = query + ["--pipeline", "1"]

    /// The 20th answer becomes this.
    private static func answer(_ change: @escaping @Sendable (inout Told) -> Void) -> @Sendable () -> LyingServer.Lie {
        {
            var answers = 0
            return { frame in
                guard frame.opcode == .queryResult else { return [frame] }
                answers += 1
                guard answers == 20 else { return [frame] }
                var other = frame
                change(&other)
                return [other]
            }
        }
    }

    static let ofAnswers: [Lie] = [
        Lie("nothing was asked on the stream", query, "on stream 500", answer { $0.stream = 500 }),
        Lie("the stream is another query's", query, "not what was loaded", answer { $0.stream ^= 1 }),
        Lie("the row is another", query, "not what was loaded", answer { $0.payload[28] ^= 1 }),
        Lie("there is a tombstone", query, "not what was loaded", answer { $0.payload[0] = 2 }),
        Lie("the version is none", query, "not what was loaded", answer { $0.payload[4] = 0 }),
        Lie("the stream is another, one by one", oneByOne, "not what was loaded", answer { $0.stream = 2 }),
        Lie("the row is another, one by one", oneByOne, "not what was loaded", answer { $0.payload[28] ^= 1 }),
        // What the subscribers are compared with.
        Lie("the stream is another at the end", fanout, "where nothing is asked", answer { $0.stream += 1_000 }),
    ]

    // MARK: Latency

    private static let latency = ["latency", "--rate", "2000", "--entities", "2000", "--operations", "200"]

    static let ofLatency: [Lie] = [
        Lie("a notification comes twice", latency, "was told", once(2) { [$0, $0] }),
        Lie("a notification is lost", latency, "was told of", once(2) { _ in [] }),
    ]

    @Test(arguments: ofNotifications + ofBootstraps + ofAnswers + ofLatency) func aLieFailsTheRun(_ lie: Lie) throws {
        let server = try ServerProcess()
        let liar = try LyingServer(server, lie.tell)
        let ended = try Child("converge-bench", lie.arguments + ["--server", liar.address]).wait()
        // 1: refused; 7: a check failed.
        let code: Int32 = lie.words.hasPrefix("refused") ? 1 : 7
        #expect(ended.status == code, "\(ended.errors)")
        #expect(ended.output.isEmpty)
        #expect(ended.errors.contains(lie.words) || lie.words.isEmpty, "\(ended.errors)")
        withExtendedLifetime(liar) {}
    }

    /// The lies are what fails the runs above: told the truth by the same way, they pass.
    @Test(arguments: [fanout, mixed, bootstrap, query, oneByOne, latency]) func theTruthPasses(_ workload: [String])
        throws
    {
        let server = try ServerProcess()
        let honest = try LyingServer(server) { { [$0] } }
        let ended = try Child("converge-bench", workload + ["--server", honest.address]).wait()
        #expect(ended.status == 0, "\(ended.errors)")
        withExtendedLifetime(honest) {}
    }
}

extension Told {
    /// With 1 instead of the number that stands behind the first of these words.
    fileprivate func replacingNumber(behind words: String) -> Told {
        let words = Array(words.utf8)
        guard let place = payload.indices.first(where: { payload[$0...].starts(with: words) }) else { return self }
        let start = place + words.count
        let end = payload[start...].firstIndex { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? start
        var other = self
        other.payload.replaceSubrange(start..<end, with: [UInt8(ascii: "1")])
        return other
    }
}
