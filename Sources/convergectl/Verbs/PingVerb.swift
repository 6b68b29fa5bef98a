import ConvergeClient

extension Verb {
    static let ping = Verb(
        name: "ping", words: [], summary: "Ask the server for a sign of life, and time it",
        run: { try await runPing($0) })
}

private func runPing(_ invocation: Invocation) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let roundTrip = try await client.ping()
    await invocation.end(client)
    let microseconds = Int(roundTrip / .microseconds(1))
    let global = invocation.global
    let output = Output()
    if global.json {
        output.document {
            $0.member("server", client.server.name)
            $0.member("address", global.address)
            $0.member("protocol", client.server.protocolVersion)
            $0.member("partitions", client.server.partitions)
            $0.member("round_trip_us", microseconds)
        }
    } else {
        output.line("\(shown(client.server.name)) at \(global.address): \(microseconds) µs")
    }
    output.flush()
    return .ok
}
