import ConvergeClient
import Testing

import class ConvergeTestSupport.TestServer

/// The client against the real server.
@Suite struct WholePathTests {
    static let gauge = KindDefinition(
        name: "Gauge", durability: .ephemeral,
        fields: [
            FieldDefinition(name: "level", type: .u32), FieldDefinition(name: "label", type: .string, max: 8),
            FieldDefinition(name: "owned", type: .u32, owners: 1 << 7),
        ])

    static func connect(
        _ server: TestServer, _ configure: (inout ClientOptions) -> Void = { _ in }
    ) async throws -> Client {
        var options = ClientOptions()
        configure(&options)
        return try await Client.connect(host: "127.0.0.1", port: server.port, options: options)
    }

    @Test func w1w2w3WritesAreSeenByQueries() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        let id = try EntityID.text("a")

        #expect(try await client.assert(kind, id, ["level": .unsigned(7), "label": .string("hot")]) == 1)
        #expect(try await client.patch(kind, id, ["level": .unsigned(8)]) == 2)
        guard case .alive(let version, let sourceSet, let row) = try await client.query(kind, id, afterMyWrites: true)
        else {
            Issue.record("the entity is not there")
            return
        }
        #expect(version == 1 && sourceSet == 1)
        #expect(row["level"] == .unsigned(8) && row["label"] == .string("hot"))
        #expect(row.values == [.unsigned(8), .string("hot"), .unsigned(0)])
        #expect(row["nothing"] == nil)

        try await client.retract(kind, id)
        let synced = try await client.sync()
        #expect(synced.applied == 3 && synced.refused == 0 && !synced.token.isEmpty)
        guard case .tombstone(2) = try await client.query(kind, id) else {
            Issue.record("the entity is not a tombstone of version 2")
            return
        }
        guard case .notFound = try await client.query(kind, .int(9)) else {
            Issue.record("an entity that never was is found")
            return
        }
        await client.close()
    }

    @Test func notificationsDescribeThemselves() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        var notifications = try await client.subscribe(kind).makeAsyncIterator()
        let id = try EntityID.text("a")
        var shown: [String] = []
        try await client.assert(kind, id, ["level": .unsigned(7), "label": .string("hot")])
        try await shown.append("\(#require(try notifications.next()))")
        try await client.patch(kind, id, ["level": .unsigned(8)])
        try await shown.append("\(#require(try notifications.next()))")
        try await client.retract(kind, id)
        try await shown.append("\(#require(try notifications.next()))")
        #expect(
            shown == [
                #"created a v1: level 7, label "hot", owned 0"#, "updated a v2: level 8", "deleted (retract) a v3",
            ])
    }

    @Test func w4RefusedWritesAreCountedAndNamed() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server) { $0.source = 3 }
        #expect(client.source == 3)
        let kind = try await client.register(Self.gauge)
        try await client.assert(kind, .int(1), ["level": .unsigned(1)])
        let refused = try await client.patch(kind, .int(2), ["owned": .unsigned(1)])
        let first = try await client.sync()
        #expect(first.applied == 1 && first.refused == 1)
        let refusal = try #require(first.refusals.first)
        #expect(refusal.code == .notOwner && refusal.write == refused && refusal.id == .int(2))
        #expect(throws: ClientError.self) { try first.check() }

        try await client.assert(kind, .int(3), ["level": .unsigned(1)])
        let second = try await client.sync()
        #expect(second.applied == 1 && second.refused == 0 && second.refusals.isEmpty)
        #expect(second.appliedTotal == 2 && second.refusedTotal == 1)
        try second.check()

        var streamed = client.refusals.makeAsyncIterator()
        #expect(await streamed.next()?.write == refused)
    }

    @Test func w9ABatchIsOneFrame() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        let last = try await client.batch { batch throws(ClientError) in
            for number in 0..<1_000 {
                try batch.assert(kind, .int(UInt64(number)), ["level": .unsigned(UInt128(number))])
            }
            try batch.patch(kind, .int(0), ["label": .string("first")])
            batch.retract(kind, .int(999))
        }
        #expect(last == 1_002)
        #expect(try await client.sync().applied == 1_002)
        #expect(try await client.batch { _ throws(ClientError) in } == 1_002)

        let tooLarge = await #expect(throws: ClientError.self) {
            try await client.batch { batch throws(ClientError) in
                for number in 0..<100_000 { try batch.assert(kind, .int(UInt64(number)), ["level": .unsigned(1)]) }
            }
        }
        #expect(tooLarge?.kind == .invalid)
        #expect(try await client.sync().applied == 0)
    }

    @Test func valuesThatDoNotFitAreNeverSent() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        for values: KeyValuePairs<String, Value> in [
            ["level": .signed(-1)], ["label": .string("too long for it")], ["levle": .unsigned(1)],
            ["label": .unsigned(1)], ["level": .unsigned(1), "level": .unsigned(2)],
        ] {
            let error = await #expect(throws: ClientError.self) { try await client.assert(kind, .int(1), values) }
            #expect(error?.kind == .invalid)
        }
        let synced = try await client.sync()
        #expect(synced.applied == 0 && synced.refused == 0)
    }

    @Test func k1KindsAreFoundByNameAndListed() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        #expect(try await client.kinds().isEmpty)
        let kind = try await client.register(Self.gauge)
        #expect(try await client.register(Self.gauge).number == kind.number)
        #expect(try await client.kind(named: "Gauge").definition == kind.definition)
        #expect(try await client.kinds().map(\.name) == ["Gauge"])

        let unknown = await #expect(throws: ClientError.self) { try await client.kind(named: "Gouge") }
        #expect(unknown?.kind == .refused(.unknownKind))
        let other = KindDefinition(
            name: "Gauge", durability: .ephemeral, fields: [FieldDefinition(name: "level", type: .u64)])
        let conflict = await #expect(throws: ClientError.self) { try await client.register(other) }
        #expect(conflict?.kind == .refused(.schemaConflict))
        #expect(conflict?.description.contains("level") == true)
    }

    @Test func r2r3ASnapshotThenWhatChanges() async throws {
        let server = try TestServer()
        let writer = try await Self.connect(server)
        let reader = try await Self.connect(server) { $0.readOnly = true }
        #expect(reader.source == nil)
        let kind = try await writer.register(Self.gauge)
        for number in 0..<100 { try await writer.assert(kind, .int(UInt64(number)), ["level": .unsigned(1)]) }
        _ = try await writer.sync()

        var options = SubscriptionOptions.bootstrap
        options.previous = true
        let subscription = try await reader.subscribe(kind, options)
        var notifications = subscription.makeAsyncIterator()
        var mirror = Mirror()
        bootstrap: while let notification = try await notifications.next() {
            mirror.apply(notification)
            switch notification {
            case .change(let change): #expect(change.previous == nil && change.version == 1)
            case .bootstrapBegin(let begin): #expect(begin.estimate == 100)
            case .bootstrapEnd(let end):
                #expect(end.count == 100 && !end.token.isEmpty)
                break bootstrap
            }
        }
        #expect(mirror.count == 100)

        try await writer.patch(kind, .int(5), ["level": .unsigned(2)])
        _ = try await writer.sync()
        try await writer.retract(kind, .int(6))
        _ = try await writer.sync()
        guard case .change(let updated)? = try await notifications.next(),
            case .change(let deleted)? = try await notifications.next()
        else {
            Issue.record("the changes did not come")
            return
        }
        #expect(updated.id == .int(5) && updated.version == 2 && updated.changedFields(of: kind) == ["level"])
        #expect(updated.previous?["level"] == .unsigned(1) && updated.row?["level"] == .unsigned(2))
        guard case .deleted(.retract) = deleted.what else {
            Issue.record("\(deleted.what) is no deletion by retraction")
            return
        }
        #expect(deleted.id == .int(6) && deleted.row == nil && deleted.previous?["level"] == .unsigned(1))

        let again = await #expect(throws: ClientError.self) { try await reader.subscribe(kind) }
        #expect(again?.kind == .refused(.alreadySubscribed))
        try await subscription.unsubscribe()
        #expect(try await notifications.next() == nil)
        _ = try await reader.subscribe(kind)
    }

    @Test func aSubscriptionThatIsLetGoIsUnsubscribed() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        for _ in 0..<50 { _ = try await client.subscribe(kind, .bootstrap) }
        #expect(try await client.ping() > .zero)
    }

    @Test func r10TwoMirrorsOfARacingKindAreEqual() async throws {
        let server = try TestServer()
        let writers = try await [Self.connect(server), Self.connect(server), Self.connect(server)]
        let kind = try await writers[0].register(Self.gauge)
        let early = try await Self.connect(server).subscribe(kind, .bootstrap)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (seed, writer) in writers.enumerated() {
                group.addTask {
                    for step in 0..<2_000 {
                        let id = EntityID.int(UInt64((step * 7 + seed * 13) % 97))
                        if step % 11 == 0 {
                            try await writer.retract(kind, id)
                        } else {
                            try await writer.assert(kind, id, ["level": .unsigned(UInt128(step + seed))])
                        }
                    }
                    let synced = try await writer.sync()
                    #expect(synced.applied == 2_000)
                }
            }
            try await group.waitForAll()
        }
        // A last entity: who has seen it has seen everything before it.
        try await writers[0].assert(kind, .text("last"), ["level": .unsigned(1)])
        _ = try await writers[0].sync()
        let late = try await Self.connect(server).subscribe(kind, .bootstrap)
        let one = try await Self.mirror(early, until: .text("last"))
        let two = try await Self.mirror(late, until: .text("last"))
        // The late one may still be inside its bootstrap.
        #expect(one.count > 1)
        #expect(one == two)
    }

    /// Reads until the entity has come and no bootstrap is under way.
    static func mirror(_ subscription: Subscription, until last: EntityID) async throws -> Mirror {
        var mirror = Mirror()
        var isComplete = false
        for try await notification in subscription {
            mirror.apply(notification)
            if case .bootstrapEnd = notification { isComplete = true }
            if isComplete, mirror[last] != nil { break }
        }
        return mirror
    }

    @Test func manyTasksShareAClient() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<50 {
                group.addTask {
                    for step in 0..<20 {
                        let id = EntityID.int(UInt64(task * 100 + step))
                        try await client.assert(kind, id, ["level": .unsigned(UInt128(step))])
                        guard case .alive(_, _, let row) = try await client.query(kind, id, afterMyWrites: true) else {
                            Issue.record("\(id) is not there")
                            return
                        }
                        #expect(row["level"] == .unsigned(UInt128(step)))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.sync().applied == 1_000)
    }

    @Test func aReadOnlyClientsWritesAreRefused() async throws {
        let server = try TestServer()
        let writer = try await Self.connect(server)
        let kind = try await writer.register(Self.gauge)
        let reader = try await Self.connect(server) { $0.readOnly = true }
        try await reader.assert(kind, .int(1), ["level": .unsigned(1)])
        let synced = try await reader.sync()
        #expect(synced.refused == 1 && synced.refusals.first?.code == .readOnly)
    }

    @Test func l1AHeldSourceIsRefused() async throws {
        let server = try TestServer()
        let holder = try await Self.connect(server) { $0.source = 5 }
        let error = await #expect(throws: ClientError.self) { try await Self.connect(server) { $0.source = 5 } }
        #expect(error?.kind == .refused(.sourceClaimed))
        await holder.close()
        #expect(try await Self.connect(server) { $0.source = 5 }.source == 5)
    }

    @Test func theServersEndEndsEverything() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        var notifications = try await client.subscribe(kind).makeAsyncIterator()
        try server.stop()
        let error = await #expect(throws: ClientError.self) { try await notifications.next() }
        #expect(error?.kind == .closed)
        await #expect(throws: ClientError.self) { try await client.sync() }
        await #expect(throws: ClientError.self) { try await client.assert(kind, .int(1), ["level": .unsigned(1)]) }
        for await _ in client.refusals {}
    }

    @Test func closeEndsSubscriptionsWithoutAnError() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let kind = try await client.register(Self.gauge)
        var notifications = try await client.subscribe(kind).makeAsyncIterator()
        await client.close()
        #expect(try await notifications.next() == nil)
    }

    @Test func closeSendsWhatIsQueued() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server) {
            $0.shared = true
            $0.source = 1
        }
        let kind = try await client.register(Self.gauge)
        for number in 0..<5_000 { try await client.assert(kind, .int(UInt64(number)), ["level": .unsigned(1)]) }
        await client.close()
        let reader = try await Self.connect(server)
        // The server had read everything before it ended the connection; its window may still be open.
        _ = try await reader.sync()
        var count = 0
        for try await notification in try await reader.subscribe(kind, .bootstrap) {
            if case .change = notification { count += 1 }
            if count == 5_000 { break }
        }
        #expect(count == 5_000)
    }

    @Test func administration() async throws {
        let server = try TestServer()
        let client = try await Self.connect(server)
        let answer = try await client.admin(Array(#"{"command":"stats"}"#.utf8))
        #expect(answer.first == UInt8(ascii: "{"))
        let refused = await #expect(throws: ClientError.self) { try await client.admin(Array("nonsense".utf8)) }
        #expect(refused?.code != nil)
        #expect(try await client.ping() > .zero)
    }
}
