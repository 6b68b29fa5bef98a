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

    let ticking = Task { await board?.tick() }
    var mirror = Mirror()
    var snapshot = 0
    var created = 0
    var updated = 0
    var deleted = 0
    for try await notification in subscription {
        mirror.apply(notification)
        guard case .change(let change) = notification else { continue }
        switch change.what {
        case .snapshot: snapshot += 1
        case .created: created += 1
        case .updated: updated += 1
        case .deleted: deleted += 1
        }
        await board?.show(change)
    }
    ticking.cancel()
    await board?.end()
    try await ending.value
    await client.close()
    try writeRows(mirror.entities.map { RowLine($0.key, $0.value, kind) }, to: file)
    say("\(options.name): \(snapshot) snapshot, \(created) created, \(updated) updated, \(deleted) deleted")
}

/// Returns when the process is told to stop (SIGTERM, SIGINT): the handler's byte comes out of a pipe.
private func stopRequested() async {
    while true {
        var byte: UInt8 = 0
        if read(stopPipe.read, &byte, 1) == 1 { return }
        try? await Task.sleep(for: .milliseconds(20))
    }
}

/// Non-blocking at both ends.
private let stopPipe: (read: Int32, write: Int32) = {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { fatalError("no pipe: raise the limit of open files") }
    for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    return (ends[0], ends[1])
}()

/// From here on a signal to stop does not end the process, but `stopRequested`.
func catchStopSignals() {
    _ = stopPipe
    for number in [SIGTERM, SIGINT] {
        signal(number) { _ in
            var byte: UInt8 = 1
            _ = write(stopPipe.write, &byte, 1)
        }
    }
}
