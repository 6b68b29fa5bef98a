import ConvergeClient

/// The connection of a shell, which its commands share: made when it is first wanted, and again when the server went away.
actor KeptConnection {
    private let options: GlobalOptions
    private var client: Client?
    private var wasLost = false
    private var kinds: (names: [String], at: ContinuousClock.Instant)?

    /// For how long a list of kinds is good for completion.
    private static let kindsAge = Duration.seconds(1)

    init(_ options: GlobalOptions) {
        self.options = options
    }

    /// Whether commands with these options use it.
    nonisolated func serves(_ options: GlobalOptions) -> Bool {
        options.isSameConnection(as: self.options)
    }

    /// The connection, after a sign of life.
    func ready() async throws -> Client {
        if let client {
            do {
                _ = try await client.ping()
                return client
            } catch {
                guard error.kind != .cancelled else { throw error }
                self.client = nil
                wasLost = true
            }
        }
        let made = try await options.connect(as: "convergectl shell", readOnly: false)
        client = made
        if wasLost { talk("the connection to \(options.address) was lost; connected again") }
        wasLost = false
        return made
    }

    func keeps(_ client: Client) -> Bool { client === self.client }

    /// Forgets a connection on which a command was cut short: what it had not finished must not count for the next one.
    func drop() {
        client = nil
    }

    func close() async {
        await client?.close()
        client = nil
    }

    /// The names of the kinds, as they were at most a second ago. Makes no connection.
    func kindNames() async -> [String] {
        if let kinds, kinds.at.duration(to: .now) < Self.kindsAge { return kinds.names }
        guard let client, let found = try? await client.kinds() else { return kinds?.names ?? [] }
        let names = found.map(\.name)
        kinds = (names, .now)
        return names
    }
}

/// What the lines of a shell have in common.
struct ShellContext: Sendable {
    /// Flags that were given to the shell, and hold for every line that does not give its own.
    let flags: [String: String]
    let connection: KeptConnection
}
