import ConvergeWire
import Testing

@testable import ConvergeEngine

/// R3 through the Swift owner: bootstrap, and a catch-up that holds exactly one flush.
@Suite struct CatchUpTests {
    private func fill(_ engine: inout Engine, _ numbers: Range<Int>, _ value: UInt8) throws {
        try EngineTests.apply(&engine) { writer in
            for number in numbers {
                writer.assert(kind: 1, schema: 1, id: .int(UInt64(number)), data: [value, 0, 0, 0, 0])
            }
        }
    }

    /// Steps to the end; the rows that were sent, and the progress of the last step.
    private func drain(_ engine: inout Engine, _ catchUp: CatchUp) throws -> (frames: Int, last: CatchUpProgress) {
        var frames = 0
        while true {
            let (slices, progress) = try engine.step(catchUp, bytes: 4_096)
            for index in 0..<slices.count { frames += slices[index].frames }
            if progress.live {
                #expect(progress.rows == UInt64(frames))
                return (frames, progress)
            }
        }
    }

    @Test func aBootstrapHoldsEveryRow() throws {
        var engine = try EngineTests.engine()
        try fill(&engine, 0..<1_000, 1)
        engine.install(try engine.seal())
        let catchUp = try engine.beginCatchUp(kind: 1, EngineTests.plain)
        #expect(catchUp.estimate == 1_000 && engine.statistics.catchUps == 1)
        let (frames, last) = try drain(&engine, catchUp)
        #expect(frames == 1_000 && last.sequence == 1)
        engine.end(catchUp)
        #expect(engine.statistics.catchUps == 0)
    }

    @Test func r5AnEmptyCatchUpHoldsTheFlushItWasBegunIn() throws {
        var engine = try EngineTests.engine()
        try fill(&engine, 0..<1_000, 1)
        engine.install(try engine.seal())
        try fill(&engine, 500..<600, 2)
        let batch = try engine.seal()
        let catchUp = try engine.beginEmptyCatchUp(kind: 1, EngineTests.plain)
        engine.install(batch)
        let (frames, last) = try drain(&engine, catchUp)
        #expect(frames == 100 && last.sequence == 2)
        engine.end(catchUp)
    }

    @Test func anUnknownKindHasNoCatchUp() throws {
        var engine = try EngineTests.engine()
        #expect(throws: EngineStatus.unknownKind) { _ = try engine.beginCatchUp(kind: 9, EngineTests.plain) }
        #expect(throws: EngineStatus.unknownKind) { _ = try engine.beginEmptyCatchUp(kind: 9, EngineTests.plain) }
    }
}
