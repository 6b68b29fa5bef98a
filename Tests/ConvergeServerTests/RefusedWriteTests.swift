import ConvergeTestSupport
import ConvergeWire
import Testing

@testable import ConvergeServer

/// W4: a refused write is reported with its kind, id, reason and ordinal, and refuses nothing else.
@Suite struct RefusedWriteTests {
    struct Bad: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let frame: @Sendable (UInt16) -> [UInt8]
        let code: WireErrorCode
        let words: [String]
    }

    private static func changed(_ index: Int, _ value: UInt8) -> [UInt8] {
        var row = Gauge.row(1, label: "ab")
        row[index] = value
        return row
    }

    static let bad: [Bad] = [
        Bad(
            testDescription: "unknown kind", frame: { Frames.assert($0 + 900, id("x"), Gauge.row()) },
            code: .unknownKind,
            words: ["901", "CREATE_KIND"]),
        Bad(
            testDescription: "short", frame: { Frames.assert($0, id("x"), [1, 2]) }, code: .wrongLength,
            words: ["'Gauge'", "2 bytes", "exactly \(Gauge.layout.fixedBytes)"]),
        Bad(
            testDescription: "long", frame: { Frames.assert($0, id("x"), Gauge.row() + [0]) }, code: .wrongLength,
            words: ["'Gauge'"]),
        Bad(
            testDescription: "bool of 7", frame: { Frames.assert($0, id("x"), changed(4, 7)) }, code: .invalidBool,
            words: ["'open'", "'Gauge'", "0 or 1"]),
        Bad(
            testDescription: "string too long", frame: { Frames.assert($0, id("x"), changed(5, 9)) },
            code: .valueTooLong,
            words: ["'label'", "at most 8 bytes"]),
        Bad(
            testDescription: "bytes too long", frame: { Frames.assert($0, id("x"), changed(15, 5)) },
            code: .valueTooLong,
            words: ["'raw'", "at most 4 bytes"]),
        Bad(
            testDescription: "invalid UTF-8", frame: { Frames.assert($0, id("x"), changed(7, 0xFF)) },
            code: .invalidUTF8,
            words: ["'label'", "UTF-8"]),
        Bad(
            testDescription: "padding", frame: { Frames.assert($0, id("x"), changed(14, 1)) }, code: .nonzeroPadding,
            words: ["'label'", "zero"]),
        Bad(
            testDescription: "schema version", frame: { Frames.assert($0, id("x"), Gauge.row(), schema: 2) },
            code: .unknownSchemaVersion, words: ["version 1", "2"]),
        Bad(
            testDescription: "mask without a field", frame: { Frames.patch($0, id("x"), mask: 1 << 5, [0]) },
            code: .unknownField,
            words: ["5 fields"]),
        Bad(
            testDescription: "patch of the wrong length", frame: { Frames.patch($0, id("x"), mask: 1, [0]) },
            code: .wrongLength,
            words: ["PATCH", "exactly 4"]),
        Bad(
            testDescription: "another's field", frame: { Frames.patch($0, id("x"), mask: 1 << 4, [1, 0, 0, 0]) },
            code: .notOwner,
            words: ["'owned'", "source 7", "leave the field out"]),
    ]

    @Test(arguments: bad) func w4ARefusedWriteIsReportedAndNothingElseIsRefused(_ bad: Bad) throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server, source: 3)
        try client.send(Frames.assert(kind, id("before"), Gauge.row(1)))
        try client.send(bad.frame(kind))
        try client.send(Frames.assert(kind, id("after"), Gauge.row(2)))
        let error = try client.expectError(bad.code)
        for word in bad.words { #expect(error.message.contains(word), "'\(word)' in: \(error.message)") }
        #expect(error.write == 2)
        #expect(error.id == id("x"))
        #expect(error.repeated == 0)
        let synced = try client.sync()
        #expect(synced.applied == 2 && synced.refused == 1)
        #expect(Gauge.level(try client.query(kind, id("after")).data) == 2)
        #expect(try client.query(kind, id("x")).status == QueryResult.Status.notFound.rawValue)
        try server.stop()
    }

    @Test func l1AReadOnlyConnectionsWritesAreRefused() throws {
        let server = try TestServer()
        let (_, kind) = try RawClient.withGauge(server)
        let reader = try RawClient(server)
        #expect(try reader.connect(flags: .readOnly).source == Connected.noSource)
        try reader.send(Frames.assert(kind, id("x"), Gauge.row()))
        #expect(try reader.expectError(.readOnly, "read-only").write == 1)
        try reader.send(Frames.retract(kind, id("x")))
        #expect(try reader.expectError(.readOnly).write == 2)
        #expect(try reader.sync().refused == 2)
        try server.stop()
    }

    @Test func w4OrdinalsCountTheItemsOfABatch() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        try client.send(
            Frames.write {
                $0.beginBatch()
                for item in 1...5 {
                    $0.assert(kind: kind, schema: 1, id: id(item), data: item == 4 ? [0] : Gauge.row(UInt32(item)))
                }
                $0.endBatch()
                $0.assert(kind: kind, schema: 1, id: id(6), data: [])
            })
        // Of two partitions the later one's may come first.
        let writes = [try client.expectError(.wrongLength).write, try client.expectError(.wrongLength).write]
        #expect(writes.sorted() == [4, 6])
        let synced = try client.sync()
        #expect(synced.applied == 4 && synced.refused == 2)
        try server.stop()
    }

    @Test func w4AHundredReportsASecondThenACount() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        let writes = 1_000
        try client.send(
            Frames.write { writer in
                for item in 1...writes { writer.assert(kind: kind, schema: 1, id: id(item), data: [0]) }
                writer.message(Sync(), stream: 77)
            })
        var reports = 0
        var accountedFor: UInt64 = 0
        var reported: Set<UInt64> = []
        var isSynced = false
        // What SYNCED came ahead of is reported when the second is over.
        while !isSynced || accountedFor < UInt64(writes) {
            let frame = try client.receive()
            if frame.opcode == .synced {
                #expect(try frame.decode(Synced.self).refused == UInt64(writes))
                isSynced = true
                continue
            }
            let error = try frame.decode(ErrorMessage.self)
            reports += 1
            accountedFor += 1 + UInt64(error.repeated)
            #expect((1...UInt64(writes)).contains(error.write) && reported.insert(error.write).inserted)
        }
        // A busy machine may need several seconds for them.
        #expect(reports < writes)
        #expect(accountedFor == UInt64(writes))
        // Those of one partition come in their order: of one alone the last is reported last.
        #expect(TestServer.partitions > 1 || reported.contains(UInt64(writes)))
        try server.stop()
    }

    @Test func w4EverySecondHasItsHundredReports() {
        var reports = RefusalReports()
        for second: Int64 in 5...8 {
            let admitted = (0..<1_000).count { _ in reports.admits(at: second * 1_000_000) }
            #expect(admitted == ServerLimits.reportsPerSecond)
        }
    }

    @Test func w4SyncsInBetweenDoNotRaiseTheLimitOfReports() throws {
        let server = try TestServer()
        let (client, kind) = try RawClient.withGauge(server)
        let rounds = 2_000
        let started = ContinuousClock.now
        try client.send(
            Frames.write { w in
                for round in 1...rounds {
                    w.assert(kind: kind, schema: 1, id: id(round), data: [0])
                    w.message(Sync(), stream: 1)
                }
            })
        var reports = 0
        var syncs = 0
        while syncs < rounds {
            let frame = try client.receive()
            if frame.opcode == .synced {
                syncs += 1
                #expect(try frame.decode(Synced.self).refused == UInt64(syncs))
            } else {
                reports += 1
            }
        }
        // At most a hundred in each second that it took, however long that was.
        let seconds = Int(started.duration(to: .now).components.seconds)
        #expect(reports <= 100 * (seconds + 2))
        #expect(reports < rounds)
        try server.stop()
    }
}
