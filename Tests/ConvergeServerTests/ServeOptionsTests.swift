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
        (["--memory", "--replies-max-mb", "15"], ["--replies-max-mb", "MiB, 16 to 65,536", "'15'"]),
        (["--memory", "--connections-max", "0"], ["connections, 1 to 1,000,000", "'0'"]),
        (["--memory", "--subscriber-buffer", "many"], ["notifications, 1 to 1,048,576", "'many'"]),
        (["--memory", "--segments-max-mb", "99999999999999999999"], ["MiB, 64 to 1,048,576"]),
        (["--memory", "--pending-max-mb", "100"], ["--segments-max-mb", "at least 1200"]),
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

    @Test func boundsAreInMebibytes() throws {
        let configuration = try parse(
            "--memory", "--unfinished-max-mb", "17", "--held-max-mb", "18", "--replies-max-mb", "19",
            "--segments-max-mb=960",
            "--pending-max-mb", "80", "--catch-up-max-mb", "21", "--subscriber-max-mb", "22", "--subscriber-buffer",
            "23",
            environment: ["CONVERGEDB_CONNECTIONS_MAX": "24", "CONVERGEDB_REPLIES_MAX_MB": "99"])
        #expect(configuration.unfinishedBytesMax == 17 << 20 && configuration.heldBytesMax == 18 << 20)
        #expect(configuration.repliesBytesMax == 19 << 20 && configuration.segmentBytesMax == 960 << 20)
        #expect(configuration.pendingBytesMax == 80 << 20 && configuration.catchUpBytesMax == 21 << 20)
        #expect(configuration.subscriberBytes == 22 << 20 && configuration.subscriberNotifications == 23)
        #expect(configuration.connectionsMax == 24)
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
