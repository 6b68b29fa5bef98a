import ConvergeClient
import ConvergeJSON

extension Verb {
    static let watch = Verb(
        name: "watch", words: ["KIND"], summary: "Print every change of a kind as it happens",
        details: """
            Without --bootstrap, what exists already is not printed. Ends by --count, --once
            or Ctrl-C (exit code 130). With --json, one object a line: type, id, version,
            source_set, sources, changed, fields, reason, previous; the markers
            bootstrap_begin and bootstrap_end, and the last line {"type":"end"}, carry a
            token. The last line's is that of the snapshot's end, or of the subscription's
            begin: who goes on from there sees every change behind it, also those that were
            printed already.
            """,
        flags: [
            Flag("--bootstrap", nil, "begin with everything that exists"),
            Flag("--previous", nil, "print the fields before each change too"),
            Flag("--count", "N", "end after N notifications; markers do not count"),
            Flag("--once", nil, "print everything that exists, then end"),
        ],
        run: { try await runWatch($0) })
}

private func runWatch(_ invocation: Invocation) async throws -> ExitCode {
    let count = try invocation.count("--count")
    return try await Interrupts.cancelling { try await watch(invocation, count) }
}

private func watch(_ invocation: Invocation, _ count: Int?) async throws -> ExitCode {
    let client = try await invocation.connectToRead()
    let kind = try await invocation.kind(of: client)
    var options = SubscriptionOptions()
    options.bootstrap = invocation.has("--bootstrap") || invocation.has("--once")
    options.previous = invocation.has("--previous")
    let subscription = try await client.subscribe(kind, options)
    var printer = NotificationPrinter(kind, json: invocation.global.json, token: subscription.token)
    var code = ExitCode.ok
    do {
        try await follow(subscription, &printer, count: count, once: invocation.has("--once"))
    } catch  where error.kind == .cancelled {
        code = .interrupted
    } catch {
        printer.end()
        throw error
    }
    printer.end()
    await invocation.end(client)
    return code
}

/// Prints until what was asked for has been seen. Lines are flushed when nothing more is waiting.
private func follow(
    _ subscription: Subscription, _ printer: inout NotificationPrinter, count: Int?, once: Bool
) async throws(ClientError) {
    var notifications = subscription.makeAsyncIterator()
    var changes = 0
    while true {
        var ready = try notifications.nextReady()
        if ready == nil {
            printer.flush()
            ready = try await notifications.next()
        }
        guard let notification = ready else { return }
        printer.print(notification)
        switch notification {
        case .change: changes += 1
        case .bootstrapEnd: if once { return }
        case .bootstrapBegin: break
        }
        if changes == count { return }
    }
}
