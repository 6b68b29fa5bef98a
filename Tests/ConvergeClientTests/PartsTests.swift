import Testing

@testable import ConvergeClient

@Suite struct StreamTableTests {
    @Test func anIDIsTakenAgainOnlyWhenItIsFree() {
        var table = StreamTable()
        let request = StreamTable.Request(expected: .synced)
        for expected in 1...WireLimits.streamMax { #expect(table.open(request, deadline: 0) == expected) }
        #expect(table.open(request, deadline: 0) == nil)
        #expect(table.answer(500) != nil)
        #expect(table.answer(500) == nil)
        #expect(table.open(request, deadline: 0) == 500)
        #expect(table.removeAll().count == Int(WireLimits.streamMax))
        #expect(table.open(request, deadline: 0) == 501)
    }

    @Test func waitsExpireInTheirOrderAndKeepTheirIDs() async {
        var table = StreamTable()
        var expired = 0
        let outcomes = await withTaskGroup(of: Result<Reply, ClientError>.self) { group in
            var continuations: [ReplyContinuation] = []
            for _ in 0..<3 {
                let (stream, sink) = AsyncStream<ReplyContinuation>.makeStream()
                group.addTask { await withCheckedContinuation { sink.yield($0) } }
                for await continuation in stream {
                    continuations.append(continuation)
                    break
                }
            }
            for (index, continuation) in continuations.enumerated() {
                let wait = WaitID(rawValue: UInt64(index))
                let request = StreamTable.Request(expected: .synced, waiter: (wait, continuation))
                #expect(table.open(request, deadline: Int64(10 * (index + 1))) == UInt16(index + 1))
            }
            #expect(table.waiting == 3 && table.nextDeadline() == 10)
            table.answer(2)?.waiter?.continuation.resume(returning: .success(Reply(payload: [2])))
            #expect(table.expire(now: 9).isEmpty)
            for continuation in table.expire(now: 29) {
                expired += 1
                continuation.resume(returning: .failure(.cancelled))
            }
            #expect(table.waiting == 1 && table.nextDeadline() == 30)
            table.abandon(WaitID(rawValue: 2))?.resume(returning: .failure(.cancelled))
            #expect(table.waiting == 0 && table.nextDeadline() == nil)
            return await group.reduce(into: [Bool]()) { $0.append((try? $1.get()) != nil) }
        }
        #expect(expired == 1)
        #expect(outcomes.filter { $0 }.count == 1 && outcomes.count == 3)
        // The replies that nobody waits for are still expected.
        #expect(table.answer(1) != nil && table.answer(3) != nil && table.answer(2) == nil)
    }
}

@Suite struct HeartbeatClockTests {
    @Test func l2BeatsComeAtTheServersInterval() {
        var clock = HeartbeatClock(silenceMax: 1_000_000, now: 0)
        #expect(clock.check(now: 1 << 40, isReading: true) == .wait(until: .max))
        clock.start(intervalMilliseconds: 500, now: 0)
        #expect(clock.check(now: 499_999, isReading: true) == .wait(until: 500_000))
        #expect(clock.check(now: 500_000, isReading: true) == .beat)
        #expect(clock.check(now: 500_001, isReading: true) == .wait(until: 1_000_000))
    }

    @Test func silenceCountsOnlyWhileWeListen() {
        var clock = HeartbeatClock(silenceMax: 1_000_000, now: 0)
        clock.start(intervalMilliseconds: 500, now: 0)
        #expect(clock.check(now: 500_000, isReading: true) == .beat)
        #expect(clock.check(now: 1_600_000, isReading: false) == .beat)
        clock.heard(now: 1_600_000)
        #expect(clock.check(now: 1_600_001, isReading: true) == .wait(until: 2_100_000))
        #expect(clock.check(now: 2_100_000, isReading: true) == .beat)
        #expect(clock.check(now: 2_600_000, isReading: true) == .beat)
        #expect(clock.check(now: 3_100_000, isReading: true) == .dead)
    }

    @Test func aHostileIntervalIsNotFollowed() {
        var clock = HeartbeatClock(silenceMax: 1_000_000, now: 0)
        clock.start(intervalMilliseconds: 1, now: 0)
        #expect(clock.check(now: 1_000, isReading: true) == .wait(until: 100_000))
    }
}

@Suite struct MirrorTests {
    private func change(_ frame: [UInt8]) throws -> Notification {
        let kind = try Kind(KindInfo(kind: 1, definition: Sample.definition.encoded()))
        return try Notification.decode(frame, at: 0, of: kind).notification
    }

    private func state(_ version: UInt64, _ level: UInt32) throws -> Notification {
        try change(Sample.state(.int(1), version: version, data: Sample.row(level)))
    }

    @Test func r10OlderIsIgnoredEqualIsTakenDeletedForgets() throws {
        var mirror = Mirror()
        let steps: [(notification: Notification, isTaken: Bool, level: UInt32?)] = try [
            (state(5, 5), true, 5), (state(4, 4), false, 5), (state(5, 6), true, 6),
            (change(Sample.deleted(.int(2), version: 9)), false, 6),
            (change(Sample.deleted(.int(1), version: 4)), false, 6),
            (change(Sample.deleted(.int(1), version: 6)), true, nil),
            // Its version is forgotten with it.
            (state(1, 7), true, 7),
        ]
        for step in steps {
            let isTaken = mirror.apply(step.notification)
            #expect(isTaken == step.isTaken)
            #expect(mirror[.int(1)]?.bytes == step.level.map(Sample.row))
        }
    }

    @Test func r4AResetForgetsEverything() throws {
        var mirror = Mirror()
        mirror.apply(try state(5, 5))
        mirror.apply(.bootstrapBegin(BootstrapBegin(kind: 1, klass: 1, flags: [], estimate: 1)))
        #expect(mirror.count == 1)
        mirror.apply(.bootstrapBegin(BootstrapBegin(kind: 1, klass: 1, flags: .reset, estimate: 1)))
        #expect(mirror.count == 0)
        mirror.apply(try state(1, 1))
        #expect(mirror.count == 1)
    }
}

@Suite struct EntityIDDigestTests {
    @Test func strIsTheSHA256OfTheText() throws {
        let abc = try EntityID.hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let empty = try EntityID.hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(EntityID.str("abc") == abc)
        #expect(EntityID.str("") == empty)
        #expect(try EntityID.parse("str:abc") == abc)
        #expect(try EntityID.parse("\(abc)") == abc)
    }
}
