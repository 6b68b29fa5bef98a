import ConvergeTransport
import Glibc
import Testing

@Suite struct TransportTests {
    @Test(arguments: Machine.backends) func messagesArriveWholeInWhateverPieces(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        let messages: [[UInt8]] = (1...200).map { length in (0..<length).map { $0 == 0 ? UInt8(length) : UInt8($0) } }
        let stream = Array(messages.joined())
        var sent = 0
        for piece in [1, 1, 2, 3, 700, 64, 5000] {
            try loopback.sendFromClient(Array(stream[sent..<sent + piece]))
            sent += piece
            try loopback.turnClient(0)
            while loopback.server.statistics.bytesIn < sent { try loopback.turn() }
        }
        try loopback.sendFromClient(Array(stream[sent...]))
        while loopback.messages.count < messages.count { try loopback.turn() }
        #expect(loopback.messages == messages)
    }

    @Test(arguments: Machine.backends) func reservedBytesAndSharedSegmentsGoOutInOrder(_ backend: TransportBackend)
        throws
    {
        var loopback = try Loopback.start(backend)
        let shared = SharedBytes(Array(100..<200))
        try loopback.sendFromServer([1, 2, 3], room: 5000)
        let pointer = shared.pointer
        let connection = loopback.atServer
        let first = loopback.server.send(connection, segment: pointer, offset: 10, bytes: 20, weight: 2)
        let second = loopback.server.send(connection, segment: pointer, offset: 30, bytes: 5, weight: 1)
        #expect(first && second)
        #expect(shared.references == 2)
        try loopback.sendFromServer([9])
        let queued = loopback.server.unsent(connection)
        #expect(queued.bytes == 29 && queued.weight == 3)
        #expect(queued.privateBytes == 4 && queued.sharedBytes == 25)
        #expect(queued.memory == 4 << 10)
        let during = loopback.server.statistics
        #expect(during.queuedBytes == 29)
        loopback.server.flush()
        let left = loopback.server.unsent(connection)
        #expect(left == Unsent(bytes: 0, weight: 0, privateBytes: 0, memory: 0))
        while loopback.replies.count < 29 { try loopback.turn() }
        #expect(loopback.replies == [1, 2, 3] + (110..<135) + [9])
        #expect(shared.references == 1)
        let after = loopback.server.statistics
        #expect(after.queuedBytes == 0 && after.queuedPeak == 29 && after.bytesOut == 29)
    }

    @Test(arguments: Machine.backends) func drainedComesWhenALongQueueIsShortAgain(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend, TransportOptions(queueLow: 1000))
        try loopback.sendFromServer([UInt8](repeating: 7, count: 1000))
        try loopback.turn()
        #expect(!loopback.serverEvents.contains(.drained))
        try loopback.sendFromServer([UInt8](repeating: 7, count: 2_000_000))
        while loopback.replies.count < 2_001_000 { try loopback.turn() }
        #expect(loopback.serverEvents.filter { $0 == .drained }.count == 1)
    }

    @Test(arguments: Machine.backends) func discardedBytesAreNotSent(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        try loopback.sendFromServer([1, 1, 1])
        loopback.server.discardUnsent(loopback.atServer)
        try loopback.sendFromServer([2])
        while loopback.replies.isEmpty { try loopback.turn() }
        #expect(loopback.replies == [2])
    }

    @Test(arguments: Machine.backends) func pausedConnectionIsReadAfterItIsResumed(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        loopback.server.setReading(loopback.atServer, false)
        try loopback.sendFromClient([2, 5])
        for _ in 0..<5 { try loopback.turn() }
        #expect(loopback.messages.isEmpty)
        loopback.server.setReading(loopback.atServer, true)
        while loopback.messages.isEmpty { try loopback.turn() }
        #expect(loopback.messages == [[2, 5]])
    }

    @Test(arguments: Machine.backends) func closingSendsWhatIsQueuedAndIsToldOnce(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        try loopback.sendFromServer([4, 5, 6])
        loopback.server.close(loopback.atServer, lingerMicroseconds: 60_000_000)
        let refused = loopback.server.reserve(loopback.atServer, 1)
        #expect(refused == nil)
        while !loopback.clientEvents.contains(.closed) || !loopback.serverEvents.contains(.closed) {
            try loopback.turn()
        }
        for _ in 0..<3 { try loopback.turn(0) }
        #expect(loopback.replies == [4, 5, 6])
        #expect(loopback.serverEvents.filter { $0 == .closed }.count == 1)
        #expect(loopback.clientEvents.filter { $0 == .closed }.count == 1)
        #expect(loopback.closedWith == 0)
        let statistics = loopback.server.statistics
        #expect(statistics.accepted == 1 && statistics.closed == 1 && statistics.connections == 0)
    }

    @Test(arguments: Machine.backends) func messageAboveTheMaximumEndsTheConnection(_ backend: TransportBackend)
        throws
    {
        var loopback = try Loopback.start(backend, TransportOptions(messageMax: 100))
        try loopback.sendFromClient([101, 1])
        while loopback.endedBecause == nil { try loopback.turn() }
        #expect(loopback.endedBecause == .messageTooLong)
        try loopback.sendFromServer([7])
        while loopback.replies.isEmpty { try loopback.turn() }
        loopback.client.close(loopback.atClient, lingerMicroseconds: 0)
        loopback.server.close(loopback.atServer, lingerMicroseconds: 10_000_000)
        while loopback.closedWith == nil { try loopback.turn() }
        #expect(loopback.closedWith == 0 && loopback.replies == [7])
    }

    @Test(arguments: Machine.backends) func whoHasEndedIsStillAnswered(_ backend: TransportBackend) throws {
        var loopback = try Loopback.start(backend)
        try loopback.sendFromClient([2, 1])
        loopback.client.close(loopback.atClient, lingerMicroseconds: 10_000_000)
        while loopback.endedBecause == nil { try loopback.turn() }
        #expect(loopback.endedBecause == .endedByPeer && loopback.messages == [[2, 1]])
        try loopback.sendFromServer([9])
        #expect(loopback.server.statistics.unsentPrivateBytes == 1)
        loopback.server.close(loopback.atServer, lingerMicroseconds: 10_000_000)
        while loopback.closedWith == nil { try loopback.turn() }
        let statistics = loopback.server.statistics
        #expect(loopback.closedWith == 0 && statistics.bytesOut == 1)
        #expect(statistics.unsentPrivateBytes == 0 && statistics.unsentPrivatePeak == 1)
    }

    @Test(arguments: Machine.backends) func peersAndSlotsAreNamed(_ backend: TransportBackend) throws {
        let loopback = try Loopback.start(backend)
        let server = loopback.client.peer(loopback.atClient)
        let client = loopback.server.peer(loopback.atServer)
        let nobody = loopback.server.peer(.none)
        #expect(server == "127.0.0.1:\(loopback.port)")
        #expect(client.hasPrefix("127.0.0.1:") && client != server)
        #expect(nobody.isEmpty)
        #expect(loopback.atServer.slot == 0)
        #expect(loopback.atServer != .none)
    }

    @Test(arguments: Machine.backends) func timeGoesForward(_ backend: TransportBackend) throws {
        var transport = try Transport(TransportOptions(backend: backend))
        let before = Transport.now()
        // A poll may end early, without events, when a signal comes in between.
        while Transport.now() < before + 2000 {
            let count = try transport.poll(timeoutMicroseconds: max(0, before + 2000 - Transport.now()))
            #expect(count == 0)
        }
    }
}
