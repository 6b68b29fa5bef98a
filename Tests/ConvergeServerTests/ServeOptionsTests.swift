import Testing

@testable import ConvergeServer

/// The command line of `convergedb serve`.
@Suite struct ServeOptionsTests {
    private func parse(_ arguments: String..., environment: [String: String] = [:]) throws -> ServerConfiguration {
        try ServeOptions(arguments: arguments, environment: environment).configuration
    }

    @Test func defaults() throws {
        let configuration = try parse("--memory")
        #expect(configuration.host == "127.0.0.1" && configuration.port == 3727)
        #expect(configuration.windowMilliseconds == 20)
    }

    @Test func aFlagComesBeforeTheEnvironment() throws {
        let environment = ["CONVERGEDB_WINDOW_MS": "7", "CONVERGEDB_LISTEN": "0.0.0.0:1", "CONVERGEDB_MEMORY": "1"]
        let both = try parse("--window-ms", "9", environment: environment)
        #expect(both.windowMilliseconds == 9 && both.host == "0.0.0.0" && both.port == 1)
        #expect(try parse("--listen=[::1]:2", environment: environment).host == "::1")
    }

    @Test(arguments: [
        (["--memroy"], ["'--memroy'", "'--memory'"]),
        (["extra", "--memory"], ["'extra'"]),
        (["--memory", "--window-ms"], ["--window-ms", "needs a value"]),
        (["--memory", "--window-ms", "x"], ["--window-ms", "0 to 60,000", "'x'"]),
        (["--memory", "--window-ms", "-1"], ["0 to 60,000"]),
        (["--memory", "--window-ms", "+5"], ["0 to 60,000", "'+5'"]),
        (["--memory", "--listen", "127.0.0.1:+0"], ["HOST:PORT"]),
        (["--memory", "--listen", "127.0.0.1:"], ["HOST:PORT"]),
        (["--memory", "--listen", "nowhere"], ["HOST:PORT", "'nowhere'"]),
        (["--memory", "--listen", "h:65536"], ["65,535"]),
        (["--memory", "--net", "select"], ["auto, io_uring or epoll"]),
        (["--memory", "--data", "d"], ["exclude"]),
        (["--data", "d"], ["--memory instead of --data"]),
        ([], ["--memory"]),
    ])
    func whatIsWrongIsASentence(_ arguments: [String], _ words: [String]) throws {
        let error = #expect(throws: ServeOptions.UsageError.self) {
            try ServeOptions(arguments: arguments, environment: [:])
        }
        for word in words { #expect(try #require(error).description.contains(word)) }
    }

    @Test func aVariableIsNamedInItsSentence() throws {
        let error = #expect(throws: ServeOptions.UsageError.self) {
            try ServeOptions(arguments: ["--memory"], environment: ["CONVERGEDB_WINDOW_MS": "soon"])
        }
        #expect(try #require(error).description.contains("CONVERGEDB_WINDOW_MS"))
    }

    @Test(arguments: ["127.0.0.1:1", "127.9.9.9:3", "[::1]:5"]) func loopbackPeers(_ peer: String) {
        #expect(isLoopback(peer))
    }

    @Test(arguments: ["", "10.0.0.1:5", "[fe80::1]:5", "128.0.0.1:1"]) func otherPeers(_ peer: String) {
        #expect(!isLoopback(peer))
    }
}
