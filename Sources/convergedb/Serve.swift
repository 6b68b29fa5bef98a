import ConvergeServer
import Glibc

/// Runs a server until a signal stops it.
func serve(_ arguments: [String]) {
    guard !arguments.contains("--help"), !arguments.contains("-h") else {
        print(usage)
        return
    }
    var options: ServeOptions
    do { options = try ServeOptions(arguments: arguments, environment: environment()) } catch {
        fail(error.description, code: 2)
    }
    options.configuration.memory = readMemory
    if let sentence = fitOpenFiles(&options) { fail(sentence, code: 1) }
    do {
        var server = try Server(options.configuration)
        stopOnSignals(server.stopper)
        let host = options.configuration.host
        say("ready on \(host.contains(":") ? "[\(host)]" : host):\(server.port)")
        if let reason = server.netFallback { say("sockets are served by epoll: \(reason)") }
        notifyReady()
        try server.run()
    } catch {
        fail(error.description, code: 1)
    }
}

private func environment() -> [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
        let parts = String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
        entry += 1
    }
    return variables
}
