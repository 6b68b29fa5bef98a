import ConvergeClient
import Glibc

extension Invocation {
    /// A connection that only reads: it claims no source.
    func connectToRead() async throws -> Client {
        var options = try clientOptions()
        options.readOnly = true
        return try await Client.connect(host: global.host, port: global.port, options: options)
    }

    /// A connection that writes: as the source asked for, alone; else as 63, shared with other commands.
    func connectToWrite() async throws -> Client {
        var options = try clientOptions()
        options.source = global.source ?? 63
        options.shared = global.source == nil
        options.liveness = .never
        return try await Client.connect(host: global.host, port: global.port, options: options)
    }

    private func clientOptions() throws -> ClientOptions {
        var options = ClientOptions()
        options.name = "convergectl \(verb.name)"
        options.timeout = global.timeout
        if let file = global.tokenFile {
            var token = try InputFile.readAll(file, bytesMax: WireLimits.stringBytes)
            while let last = token.last, [0x0A, 0x0D, 0x20].contains(last) { token.removeLast() }
            options.token = token
        }
        return options
    }

    /// The kind that the verb's first word names. A name that is not known gets the nearest one suggested.
    func kind(of client: Client) async throws -> Kind {
        let name = words[0]
        do {
            return try await client.kind(named: name)
        } catch {
            guard error.code == .unknownKind, let kinds = try? await client.kinds() else { throw error }
            let hint = Sentence.suggestion(for: name, among: kinds.map(\.name))
            throw CommandFailure(.notFound, error.description + hint)
        }
    }

    func entityID(_ text: String) throws -> EntityID {
        do { return try EntityID.parse(text) } catch { throw CommandFailure(.usage, "\(error)") }
    }
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
