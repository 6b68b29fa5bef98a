import ConvergeSchema
import ConvergeWire
import Testing

@testable import ConvergeEngine

/// The Swift owner: that each call reaches the core with the right values. What the core does is tested beside it.
@Suite struct EngineTests {
    static let kind = KindDefinition(
        name: "Cell",
        fields: [FieldDefinition(name: "n", type: .u32), FieldDefinition(name: "mine", type: .u8, owners: 2)])
    static let plain = NotificationClass(number: 0, previous: false)

    static func engine(pendingBytesMax: UInt64 = 0) throws -> Engine {
        var engine = try Engine(hashSeed: 1, pendingBytesMax: pendingBytesMax)
        try engine.createKind(1, kind)
        return engine
    }

    /// Applies frames as a receive buffer would bring them.
    @discardableResult
    static func apply(_ engine: inout Engine, source: UInt8 = 0, _ write: (inout FrameWriter) -> Void) throws -> [Engine
        .Refusal]
    {
        var writer = FrameWriter()
        write(&writer)
        return try writer.bytes.withUnsafeBytes { bytes in
            var operations = OperationBuffer(capacity: 2)
            operations.begin(buffer: bytes.baseAddress!, connection: 3, source: source, ordinal: 10)
            var offset = 0
            while offset < bytes.count {
                guard case .frame(let header) = cutFrame(bytes.bytes, at: offset, payloadMax: 1 << 20) else { break }
                let payload = offset + FrameHeader.bytes..<offset + FrameHeader.bytes + header.payloadBytes
                try decodeWrites(opcode: header.opcode, bytes.bytes, payload: payload, into: &operations)
                offset = payload.upperBound
            }
            var refusals: [Engine.Refusal] = []
            var start = 0
            while start < operations.count {
                let applied = engine.apply(operations.run, from: start)
                for index in 0..<applied.refused {
                    let refusal = engine.refusal(index)
                    refusals.append(.init(index: start + refusal.index, status: refusal.status, field: refusal.field))
                }
                start += applied.consumed
                if applied.windowFull { engine.install(try engine.seal()) }
            }
            return refusals
        }
    }

    private func id(_ number: UInt64) -> EntityID { .int(number) }

    @Test func operationsHaveTheCoresLayout() {
        #expect(Operation.matchesCore)
        #expect(MemoryLayout<Operation>.stride == 48)
    }

    @Test func anOperationCarriesWhatWasDecoded() throws {
        var writer = FrameWriter()
        writer.patch(kind: 7, schema: 2, id: id(5), mask: 3, data: [9, 8, 7])
        try writer.bytes.withUnsafeBytes { bytes in
            var operations = OperationBuffer(capacity: 1)
            operations.begin(buffer: bytes.baseAddress!, connection: 11, source: 12, ordinal: 40)
            try decodeWrites(
                opcode: .patch, bytes.bytes, payload: FrameHeader.bytes..<bytes.count, into: &operations)
            let operation = operations[0]
            #expect(operation.kind == 7 && operation.schema == 2 && operation.mask == 3 && operation.code == 8)
            #expect(operation.connection == 11 && operation.source == 12 && operation.ordinal == 41)
            #expect(operation.dataBytes == 3 && operation.id == bytes.baseAddress! + 16)
            #expect(operation.data?.load(as: UInt8.self) == 9)
        }
    }

    @Test func w9ABatchIsTakenBackWhole() throws {
        var writer = FrameWriter()
        writer.beginBatch()
        for number in 1...5 { writer.retract(kind: 1, id: id(UInt64(number))) }
        writer.endBatch()
        var bytes = writer.bytes
        bytes[bytes.count - 37] = 0x55
        bytes.withUnsafeBytes { bytes in
            var operations = OperationBuffer(capacity: 1)
            operations.begin(buffer: bytes.baseAddress!, connection: 0, source: 0, ordinal: 6)
            #expect(throws: WireError.self) {
                try decodeWrites(
                    opcode: .batch, bytes.bytes, payload: FrameHeader.bytes..<bytes.count, into: &operations)
            }
            #expect(operations.count == 0 && operations.ordinal == 6)
            #expect(operations.skip() == 7)
        }
    }

    @Test func theBufferGrowsAndKeepsItsOperations() throws {
        var engine = try EngineTests.engine()
        let refusals = try EngineTests.apply(&engine) { writer in
            writer.beginBatch()
            for number in 0..<3_000 {
                writer.assert(kind: 1, schema: 1, id: id(UInt64(number)), data: [1, 0, 0, 0, 0])
            }
            writer.endBatch()
        }
        #expect(refusals.isEmpty)
        engine.install(try engine.seal())
        #expect(engine.entities(kind: 1) == 3_000 && engine.entities(source: 0) == 3_000)
    }

    @Test func refusalsSayWhichAndWhy() throws {
        var engine = try EngineTests.engine()
        let refusals = try EngineTests.apply(&engine) { writer in
            writer.assert(kind: 1, schema: 1, id: id(1), data: [1, 0, 0, 0, 0])
            writer.assert(kind: 2, schema: 1, id: id(1), data: [])
            writer.assert(kind: 1, schema: 1, id: id(1), data: [1])
            writer.patch(kind: 1, schema: 1, id: id(1), mask: 2, data: [1])
        }
        #expect(refusals.map(\.index) == [1, 2, 3])
        #expect(refusals.map(\.status) == [.unknownKind, .wrongLength, .notOwner])
        #expect(refusals[2].field == 1)
        let windowOpen = engine.windowOpen
        #expect(windowOpen)
    }

    @Test func moreRefusalsThanTheirBuffer() throws {
        var engine = try EngineTests.engine()
        let count = Engine.refusalsMax * 2 + 1
        let refusals = try EngineTests.apply(&engine) { writer in
            for number in 0..<count { writer.assert(kind: 9, schema: 1, id: id(UInt64(number)), data: []) }
        }
        #expect(refusals.map(\.index) == Array(0..<count))
        let windowOpen = engine.windowOpen
        #expect(!windowOpen)
    }

    @Test func f1AFullWindowSaysSo() throws {
        var engine = try EngineTests.engine(pendingBytesMax: 64 << 10)
        let refusals = try EngineTests.apply(&engine) { writer in
            for number in 0..<10_000 {
                writer.assert(kind: 1, schema: 1, id: id(UInt64(number)), data: [1, 0, 0, 0, 0])
            }
        }
        engine.install(try engine.seal())
        #expect(refusals.isEmpty && engine.entities(kind: 1) == 10_000)
        #expect(engine.statistics.flushes > 1)
        #expect(engine.statistics.pendingBytesPeak <= 64 << 10)
    }

    @Test func sealEncodeInstallQuery() throws {
        var engine = try EngineTests.engine()
        #expect(throws: EngineStatus.nothingPending) { _ = try engine.sealed() }
        try EngineTests.apply(&engine, source: 1) { $0.assert(kind: 1, schema: 1, id: id(1), data: [7, 0, 0, 0, 9]) }
        let batch = try engine.seal()
        #expect(batch.sequence == 1 && batch.changes(of: 1) == 1 && batch.changes(of: 2) == 0)
        var retained = RetainedSlices()
        retained.append(try engine.encode(batch, kind: 1, EngineTests.plain))
        #expect(try engine.encode(batch, kind: 1, NotificationClass(number: 1, previous: true)).count == 1)
        #expect(retained.count == 1 && retained[0].frames == 1)
        engine.install(batch)
        retained.removeAll()
        #expect(retained.count == 0)

        var buffer = [UInt8](repeating: 0, count: engine.queryFrameBytesMax(kind: 1))
        let bytes = try buffer.withUnsafeMutableBytes { buffer in
            try engine.encodeQuery(kind: 1, id: id(1), stream: 4, into: buffer)
        }
        let result = try QueryResult(payload: buffer[FrameHeader.bytes..<bytes].span.bytes)
        #expect(result.data == [7, 0, 0, 0, 9] && result.sourceSet == 2)
        #expect(throws: EngineStatus.bufferTooSmall) {
            try buffer.withUnsafeMutableBytes { buffer in
                _ = try engine.encodeQuery(
                    kind: 1, id: id(1), stream: 4, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<8]))
            }
        }
        #expect(engine.queryFrameBytesMax(kind: 5) == 0)
        #expect(engine.statistics.created == 1 && engine.statistics.sequence == 1)
    }

    @Test func kindsAreCreatedOnce() throws {
        var engine = try EngineTests.engine()
        #expect(throws: EngineStatus.kindExists) { try engine.createKind(1, EngineTests.kind) }
        #expect(throws: EngineStatus.unknownKind) { try engine.createKind(0, EngineTests.kind) }
        #expect(throws: EngineStatus.invalidDefinition) {
            try engine.createKind(2, KindDefinition(name: "None", fields: []))
        }
    }

    @Test func everyStatusHasASentence() {
        for status in EngineStatus.allCases { #expect(status.description.count > 8) }
        #expect(Set(EngineStatus.allCases.map(\.description)).count == EngineStatus.allCases.count)
    }
}

extension Engine {
    fileprivate mutating func sealed() throws(EngineStatus) -> UInt64 {
        let batch = try seal()
        return batch.sequence
    }
}
