import Synchronization
import Testing

@testable import ConvergeClient

/// Nothing grows without bound, whoever is slow.
@Suite struct BackPressureTests {
    /// R5, seen from the reader: a consumer that lags stops the reading of the socket, and misses nothing.
    @Test func aConsumerThatLagsStopsTheReading() async throws {
        let count = 400_000  // about 40 MB: more than any socket buffer takes
        let peer = try FakePeer { connection in
            try connection.greetWithSubscription()
            var bytes: [UInt8] = []
            for number in 0..<count {
                bytes += Sample.state(EntityID.int(UInt64(number)))
                if bytes.count > 256 << 10 || number == count - 1 {
                    try connection.send(bytes)
                    bytes = []
                }
            }
            while true { _ = try connection.receive() }
        }
        let client = try await peer.connect { $0.serverSilence = .seconds(600) }
        var options = SubscriptionOptions()
        options.bufferBytes = 256 << 10
        let subscription = try await client.subscribe(client.kind(named: "Sample"), options)
        while !subscription.buffer.isPaused { await Task.yield() }

        var notifications = subscription.makeAsyncIterator()
        var most = 0
        for number in 0..<count {
            if number % 256 == 0 { most = max(most, subscription.buffer.bytes) }
            guard case .change(let change)? = try await notifications.next(), change.id == .int(UInt64(number)) else {
                Issue.record("notification \(number) is missing")
                return
            }
        }
        // Its limit, and what one turn of the loop may have received before it looked.
        #expect(most < (256 << 10) + (32 * 64 << 10))
        #expect(most > 0)
    }

    /// W4, seen from the writer: a server that does not read makes the writer wait, and gets everything in the end.
    @Test func aPeerThatDoesNotReadMakesTheWriterWait() async throws {
        let writes = 300_000
        let gate = Gate()
        let counted = Counter()
        let peer = try FakePeer { connection in
            try connection.greetWithKind()
            gate.pass()
            while true {
                let (header, _) = try connection.receive()
                if header.opcode == .assert { counted.add() }
                if header.opcode == .sync {
                    try connection.send(
                        Synced(applied: UInt64(writes), refused: 0, token: []), stream: header.stream)
                }
            }
        }
        let client = try await peer.connect {
            $0.outgoingBytes = 1 << 20
            $0.timeout = .seconds(60)
        }
        let kind = try await client.kind(named: "Sample")
        let row = Sample.row(1)
        let writer = Task {
            for number in 0..<writes { try await client.assert(kind, .int(UInt64(number)), row: row) }
        }
        while client.core.state.withLock({ $0.stalls }) == 0 { await Task.yield() }
        #expect(client.core.state.withLock { $0.outgoing.count } < (1 << 20) + 200)
        gate.open()
        try await writer.value
        #expect(try await client.sync().applied == UInt64(writes))
        #expect(counted.value == writes)
    }

    /// A consumer may wait for replies of the connection whose notifications it has not consumed.
    @Test func aLaggingConsumerStillGetsReplies() async throws {
        let count = 5_000
        let peer = try FakePeer { connection in
            try connection.greetWithSubscription()
            for number in 0..<count { try connection.send(Sample.state(EntityID.int(UInt64(number)))) }
            try connection.send(Synced(applied: 1, refused: 0, token: []), stream: connection.await(.sync))
            while true { _ = try connection.receive() }
        }
        let client = try await peer.connect()
        var options = SubscriptionOptions()
        options.bufferBytes = 64 << 10
        let subscription = try await client.subscribe(client.kind(named: "Sample"), options)
        while !subscription.buffer.isPaused { await Task.yield() }
        #expect(try await client.sync().applied == 1)
        var notifications = subscription.makeAsyncIterator()
        for _ in 0..<count { _ = try await notifications.next() }
    }

    @Test func aDetachedBufferHoldsNothing() {
        let room = Counter()
        let buffer = SubscriptionBuffer(bytesMax: 10) { room.add() }
        buffer.append([UInt8](repeating: 1, count: 11))
        #expect(buffer.pauses(whileSomebodyWaits: false) && !buffer.pauses(whileSomebodyWaits: true))
        #expect(buffer.pauses(whileSomebodyWaits: false))
        buffer.detach()
        #expect(room.value == 1)
        buffer.append([1])
        #expect(buffer.bytes == 0 && !buffer.pauses(whileSomebodyWaits: false))
        guard case .end(nil) = buffer.take() else {
            Issue.record("a detached buffer has not ended")
            return
        }
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)

    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}
