import ConvergeClient
import Glibc

extension Invocation {
    /// A connection that need not write. Whoever is done with it calls `end`.
    func connectToRead() async throws -> Client {
        if let kept { return try await kept.ready() }
        return try await global.connect(as: "convergectl \(verb.name)", readOnly: true)
    }

    /// A connection that writes. Whoever is done with it calls `end`.
    func connectToWrite() async throws -> Client {
        if let kept { return try await kept.ready() }
        return try await global.connect(as: "convergectl \(verb.name)", readOnly: false)
    }

    /// Closes the connection, unless it is the shell's.
    func end(_ client: Client) async {
        if let kept, await kept.keeps(client) { return }
        await client.close()
    }

    private var kept: KeptConnection? {
        guard let shell, shell.connection.serves(global) else { return nil }
        return shell.connection
    }

    /// The kind that the verb's first word names. A name that is not known gets the nearest one suggested.
    func kind(of client: Client) async throws -> Kind {
        let name = words[0]
        do {
            return try await client.kind(named: name)
        } catch {
            guard error.code == .unknownKind, let kinds = try? await client.kinds() else { throw error }
            guard !kinds.isEmpty else {
                throw CommandFailure(
                    .notFound,
                    "the server has no kinds yet: describe '\(name)' in a file and register it with "
                        + "'convergectl kind apply FILE'")
            }
            let hint = Sentence.suggestion(for: name, among: kinds.map(\.name))
            throw CommandFailure(.notFound, error.description + hint)
        }
    }

    func entityID(_ text: String) throws -> EntityID {
        do { return try EntityID.parse(text) } catch { throw CommandFailure(.usage, "\(error)") }
    }
}

extension GlobalOptions {
    /// A connection that only reads, and claims no source; or one that writes: as the source asked for, alone, else as 63,
    /// shared with other commands.
    func connect(as name: String, readOnly: Bool) async throws -> Client {
        var options = ClientOptions()
        options.name = name
        options.timeout = timeout
        options.readOnly = readOnly
        if !readOnly {
            options.source = source ?? 63
            options.shared = source == nil
            options.liveness = .never
        }
        if let tokenFile {
            var token = try InputFile.readAll(tokenFile, bytesMax: WireLimits.stringBytes)
            while let last = token.last, [0x0A, 0x0D, 0x20].contains(last) { token.removeLast() }
            options.token = token
        }
        do { return try await Client.connect(host: host, port: port, options: options) } catch {
            guard let source, error.code == .sourceClaimed else { throw error }
            throw CommandFailure(
                .refused,
                "source \(source) is held by another program: give another --source, or none to write as source "
                    + "63, which commands share")
        }
    }
}

extension Client {
    /// Writes of this connection until now; those of a command that shares it are counted from here.
    func writesBefore() async throws(ClientError) -> UInt64 { try await send(WriteBatch()) }
}

/// Names of a source set's members, e.g. `0,2,63`.
func sourceList(_ set: UInt64) -> String {
    sources(of: set).map(String.init).joined(separator: ",")
}

func sources(of set: UInt64) -> [UInt64] {
    (0..<64).filter { set >> $0 & 1 == 1 }
}

func hexText(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
