import ConvergeClient
import Glibc

/// A subscriber that keeps a mirror, from its snapshot until it is told to stop (SIGTERM), and then writes it down.
///
/// To end without a gap it syncs: the reply travels behind every notification queued before it, so when it is here, so is
/// everything that the sources have had confirmed.
func follow(writing file: String, board: Board?, at address: Address) async throws {
    var options = ClientOptions()
    options.name = board == nil ? "second reader" : "departures board"
    options.readOnly = true
    let client = try await Client.connect(host: address.host, port: address.port, options: options)
    let kind = try await client.kind(named: "Flight")
    let subscription = try await client.subscribe(kind, .bootstrap)
    let ending = Task {
        await stopRequested()
        _ = try await client.sync()
        try await subscription.unsubscribe()
    }

    var mirror = Mirror()
    var snapshot = 0, created = 0, updated = 0, deleted = 0
    for try await notification in subscription {
        mirror.apply(notification)
        guard case .change(let change) = notification else { continue }
        switch change.what {
        case .snapshot: snapshot += 1
        case .created: created += 1
        case .updated: updated += 1
        case .deleted: deleted += 1
        }
        board?.show(change)
    }
    board?.end()
    try await ending.value
    await client.close()
    try writeRows(mirror.entities.map { RowLine($0.key, $0.value, kind) }, to: file)
    say("\(options.name): \(snapshot) snapshot, \(created) created, \(updated) updated, \(deleted) deleted")
}

/// Returns when the process is told to stop. The signal is blocked in `main`, so that only this thread takes it.
private func stopRequested() async {
    await withCheckedContinuation { continuation in
        let thread = Thread {
            var signals = stopSignals()
            var taken: Int32 = 0
            sigwait(&signals, &taken)
            continuation.resume()
        }
        thread.start()
    }
}

func stopSignals() -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGINT)
    return signals
}

/// A detached thread that runs one closure.
private struct Thread {
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }

    func start() {
        let boxed = Unmanaged.passRetained(Box(body))
        var id = pthread_t()
        let failed = pthread_create(
            &id, nil,
            { raw in
                Unmanaged<Box>.fromOpaque(raw!).takeRetainedValue().body()
                return nil
            }, boxed.toOpaque())
        guard failed == 0 else { fatalError("no thread can be started: raise the process limit") }
        pthread_detach(id)
    }

    private final class Box: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
}
