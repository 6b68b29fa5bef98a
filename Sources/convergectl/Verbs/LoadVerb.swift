import ConvergeClient
import ConvergeJSON
import Glibc

extension Verb {
    static let load = Verb(
        name: "load", words: ["KIND", "FILE"], summary: "Assert every record of a CSV or NDJSON file",
        details: """
            FILE is CSV with a header line (RFC 4180), or one JSON object a line; - is
            standard input. CSV columns with the name of a field fill it, empty ones leave
            it zero, others are ignored. Fields that another source owns are not written,
            and named.

              --id carrier,flight,origin  joined by '-', e.g. UA-1545-EWR: up to 32 bytes
              --id str:carrier,flight     the SHA-256 of the joined text, for longer ones
              --id int:number             also uuid: and hex:

            Without --id, FILE has lines as 'export' prints them. A record that cannot be
            read ends the load: those before it stay loaded. Refused records are counted,
            and the first of them shown; then the exit code is 1.
            """,
        flags: [Flag("--id", "COLUMNS", "the columns that make an entity's id, with commas between them")],
        run: { try await runLoad($0) })
}

private func runLoad(_ invocation: Invocation) async throws -> ExitCode {
    let idColumns = try invocation.flags["--id"].map(IDColumns.init)
    let (first, second) = (invocation.words[0], invocation.words[1])
    if second != "-", access(second, F_OK) != 0, access(first, F_OK) == 0 {
        throw CommandFailure(
            .usage, "there is no file '\(shown(second))': the kind comes first, convergectl load KIND FILE")
    }
    let file = try InputFile(second)
    let client = try await invocation.connectToWrite()
    let kind = try await invocation.kind(of: client)
    let earlier = try await client.writesBefore()
    var load = Load(client, kind, idColumns, total: file.size)
    var fault: InputFault?
    do {
        while true {
            let piece = try file.read()
            if piece.isEmpty { break }
            try await load.feed(piece)
        }
        try await load.finish()
    } catch let error as InputFault {
        fault = error
    }
    let synced = try await load.end()
    await invocation.end(client)
    if invocation.global.json {
        let output = Output()
        output.document {
            $0.member("kind", kind.name)
            $0.member("records", load.records)
            $0.synced(synced, after: earlier)
        }
        output.flush()
    }
    for refusal in synced.refusals.prefix(10) {
        talk("record \(refusal.write - earlier) (\(refusal.id)) was refused: \(shown(refusal.message))")
    }
    if let fault {
        let rest =
            switch load.records {
            case 0: "nothing was loaded"
            case 1: "the record before it was loaded"
            case let records: "the \(records) records before it were loaded"
            }
        throw CommandFailure(.usage, "\(file.name):\(fault.line): \(fault.sentence); \(rest)")
    }
    talk("loaded \(synced.applied) of \(load.records) \(load.records == 1 ? "record" : "records") into \(kind.name)")
    return synced.refused == 0 ? .ok : .refused
}

/// Records on their way to the server, in batches.
private struct Load {
    private static let batchBytes = 64 << 10

    private let client: Client
    private let kind: Kind
    private var reader: RecordReader
    private var batch = WriteBatch()
    private var bar: ProgressBar
    private var bytes = 0
    private var toldIgnored = false
    private var owned: FieldsOfOthers
    /// Records taken so far; the ordinal of the last write.
    private(set) var records = 0

    init(_ client: Client, _ kind: Kind, _ idColumns: IDColumns?, total: Int?) {
        self.client = client
        self.kind = kind
        reader = RecordReader(kind, idColumns)
        owned = FieldsOfOthers(client, kind)
        bar = ProgressBar(total: total)
    }

    mutating func feed(_ piece: [UInt8]) async throws {
        bytes += piece.count
        try await take { reader, records in try reader.feed(piece, into: &records) }
        if !toldIgnored, !reader.ignoredColumns.isEmpty {
            toldIgnored = true
            let fields = kind.layout.fields.map(\.name)
            let names = reader.ignoredColumns.map { column in
                let near = Sentence.nearest(to: column, among: fields)
                return Sentence.quote(column) + (near.map { " (did you mean '\($0)'?)" } ?? "")
            }
            talk("columns that are no fields of \(kind.name) are ignored: \(names.joined(separator: ", "))")
        }
        bar.update(bytes: bytes, records: records)
    }

    mutating func finish() async throws {
        try await take { reader, records in try reader.finish(into: &records) }
    }

    /// Sends the records that were read, those before a fault included.
    private mutating func take(_ read: (inout RecordReader, inout [LoadRecord]) throws -> Void) async throws {
        var found: [LoadRecord] = []
        var failure: (any Error)?
        do { try read(&reader, &found) } catch { failure = error }
        for record in found {
            owned.tell(of: record.values.map(\.name))
            do {
                try batch.assert(kind, record.id, record.values)
            } catch {
                throw InputFault(line: record.line, sentence: error.description)
            }
            records += 1
            if batch.bytes >= Self.batchBytes { try await send() }
        }
        if let failure { throw failure }
    }

    private mutating func send() async throws {
        try await client.send(batch)
        batch = WriteBatch()
    }

    /// Sends the last batch and waits until everything has arrived.
    mutating func end() async throws -> SyncResult {
        try await send()
        let synced = try await client.sync()
        bar.end()
        return synced
    }
}
