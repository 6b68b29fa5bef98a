import ConvergeClient
import Testing

/// Time-outs, cancellation, and peers that fall silent.
@Suite struct WaitingTests {
    @Test func aPeerThatNeverAnswersConnectTimesOut() async throws {
        let peer = try FakePeer { _ = try $0.await(.goodbye) }
        let error = await #expect(throws: ClientError.self) {
            try await peer.connect { $0.timeout = .milliseconds(50) }
        }
        #expect(error?.kind == .timedOut)
    }

    @Test func nobodyListens() async throws {
        let port: UInt16
        do { port = try FakePeer { _ in }.port }
        let error = await #expect(throws: ClientError.self) { try await Client.connect(host: "127.0.0.1", port: port) }
        #expect(error?.kind == .cannotConnect)
    }

    @Test func aNameThatDoesNotResolve() async throws {
        let error = await #expect(throws: ClientError.self) {
            try await Client.connect(host: "no-such-host.invalid", port: 1)
        }
        #expect(error?.kind == .cannotConnect)
    }

    /// The reply to a request that timed out comes later, and is not taken for the next one's.
    @Test func aLateReplyIsNobodys() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            let first = try connection.await(.sync)
            let second = try connection.await(.sync)
            #expect(first != second)
            try connection.send(Synced(applied: 1, refused: 0, token: []), stream: first)
            try connection.send(Synced(applied: 2, refused: 0, token: []), stream: second)
            _ = try connection.receive()
        }
        let client = try await peer.connect { $0.timeout = .milliseconds(200) }
        let error = await #expect(throws: ClientError.self) { try await client.sync() }
        #expect(error?.kind == .timedOut)
        #expect(try await client.sync().appliedTotal == 2)
    }

    @Test func aCancelledWaitEnds() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            let stream = try connection.await(.sync)
            _ = try connection.await(.heartbeat)
            try connection.send(Synced(applied: 1, refused: 0, token: []), stream: stream)
            _ = try connection.receive()
        }
        let client = try await peer.connect()
        let waiting = Task { try await client.sync() }
        waiting.cancel()
        let error = await #expect(throws: ClientError.self) { try await waiting.value }
        #expect(error?.kind == .cancelled)
        let before = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await client.sync()
        }
        let second = await #expect(throws: ClientError.self) { try await before.value }
        #expect(second?.kind == .cancelled)
    }

    @Test func aCancelledConsumerEnds() async throws {
        let peer = try FakePeer { connection in
            try connection.greetWithSubscription()
            while true { _ = try connection.receive() }
        }
        let client = try await peer.connect()
        let subscription = try await client.subscribe(client.kind(named: "Sample"))
        let consumer = Task {
            var notifications = subscription.makeAsyncIterator()
            return try await notifications.next() == nil
        }
        consumer.cancel()
        let error = await #expect(throws: ClientError.self) { try await consumer.value }
        #expect(error?.kind == .cancelled)
    }

    @Test func l2ASilentServerIsGivenUp() async throws {
        let peer = try FakePeer { connection in
            try connection.greet(heartbeatMilliseconds: 100)
            _ = try connection.await(.heartbeat)
            while true { _ = try connection.receive() }
        }
        let client = try await peer.connect { $0.serverSilence = .milliseconds(300) }
        let error = await #expect(throws: ClientError.self) { try await client.sync() }
        #expect(error?.kind == .timedOut)
        #expect(error?.description.contains("sign of life") == true)
    }

    @Test func aRequestOnAClosedClientSaysSo() async throws {
        let peer = try FakePeer { connection in
            try connection.greet()
            _ = try connection.await(.goodbye)
            connection.close()
        }
        let client = try await peer.connect()
        await client.close()
        let error = await #expect(throws: ClientError.self) { try await client.sync() }
        #expect(error?.kind == .closed)
    }

    @Test func optionsThatCannotBeSentAreRefusedHere() async throws {
        for change: @Sendable (inout ClientOptions) -> Void in [
            { $0.source = 64 }, { $0.name = String(repeating: "n", count: 70_000) },
            { $0.token = [UInt8](repeating: 1, count: 65_535) },
            {
                $0.readOnly = true
                $0.source = 1
            },
        ] {
            let options = changed(change)
            let error = await #expect(throws: ClientError.self) {
                try await Client.connect(host: "127.0.0.1", port: 1, options: options)
            }
            #expect(error?.kind == .invalid)
        }
    }
}

private func changed(_ change: (inout ClientOptions) -> Void) -> ClientOptions {
    var options = ClientOptions()
    change(&options)
    return options
}
