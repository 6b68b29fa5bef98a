import ConvergeClient
import Glibc
import Testing

import class ConvergeTestSupport.TestServer

struct Player: TypedKind {
    struct Position: TypedStruct {
        var x: Float = 0
        var y: Float = 0

        static let members = Members<Position> {
            $0.field("x", \.x)
            $0.field("y", \.y)
        }
    }

    var zone = ""
    var position = Position()
    var health: UInt8 = 0
    var inventory: [UInt32] = []
    var motto = ""

    static let schema = Schema<Player>("Player") {
        $0.string("zone", \.zone, max: 16)
        $0.structure("position", \.position)
        $0.field("health", \.health)
        $0.array("inventory", \.inventory, max: 64)
        $0.varstring("motto", \.motto, max: 4_000)
    }
}

/// The code of docs/SDK.md.
@Suite struct SDKExampleTests {
    @Test func theExampleRuns() async throws {
        let server = try TestServer()
        let port = server.port

        let client = try await Client.connect(host: "127.0.0.1", port: port)
        let players = try await client.register(Player.self)

        let ada = Player(zone: "harbour", health: 100)
        try await players.assert(.text("ada"), ada)
        try await players.patch(.text("ada")) { $0.health = 80 }
        try await client.sync().check()

        let now = try await players.get(.text("ada"))
        #expect(now?.zone == "harbour" && now?.health == 80)

        try await client.batch { batch throws(ClientError) in
            for number in 0..<100 {
                try batch.assert(players, .int(UInt64(number)), Player(zone: "market", health: 100))
            }
            try batch.patch(players, .int(7)) { $0.motto = "seven" }
        }
        try await client.sync().check()

        var board: [EntityID: Player] = [:]
        for try await change in try await players.subscribe(.bootstrap) {
            board[change.id] = change.value
            if change.hasChanged(\.health), let health = change.value?.health {
                print("\(change.id) has health \(health)")
            }
            if board.count == 101 { break }
        }
        #expect(board[.int(7)]?.motto == "seven")
    }

    /// Every line of every Swift block of the document stands here too, in its order.
    @Test func theDocumentIsThisCode() throws {
        let folder = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let document = try #require(text(folder + "/docs/SDK.md"))
        let source = try #require(text(#filePath))
        let lines = source.split(separator: "\n").map { $0.drop { $0 == " " } }
        let blocks = document.split(separator: "```swift\n").dropFirst().compactMap { $0.split(separator: "```").first }
        #expect(blocks.count == 4)
        for block in blocks {
            let wanted = block.split(separator: "\n").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }
            let starts = lines.indices.filter { lines[$0...].starts(with: wanted) }
            #expect(starts.count == 1, "not in the test: \(block)")
        }
    }

    private func text(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
