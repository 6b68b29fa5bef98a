import ConvergeTestSupport
import Glibc

/// convergectl at a terminal of its own, with somebody who types. It is killed and waited for when it is let go.
final class Terminal {
    private static let deadline = Duration.seconds(10)

    // Numbers of Linux whose names do not come to Swift: POSIX_SPAWN_SETSID, TIOCSPTLCK, TIOCGPTN.
    private static let newSession: Int16 = 0x80
    private static let setLock: UInt = 0x4004_5431
    private static let getNumber: UInt = 0x8004_5430

    private let master: Int32
    private let pid: pid_t
    private var isWaitedFor = false
    /// What came since the last `expect`, without what only moves the cursor.
    private var unread: [UInt8] = []
    private var escape: [UInt8] = []

    init(_ arguments: [String], environment: [String]) throws {
        master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        var locked: Int32 = 0
        var number: UInt32 = 0
        guard master >= 0, ioctl(master, Self.setLock, &locked) == 0, ioctl(master, Self.getNumber, &number) == 0 else {
            throw ClientFailure("no terminal: errno \(errno)")
        }
        let terminal = "/dev/pts/\(number)"
        var size = winsize(ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(master, UInt(TIOCSWINSZ), &size)
        // The leader of a new session gets the first terminal it opens: Ctrl-C is then a signal to it.
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
        posix_spawn_file_actions_adddup2(&actions, 0, 1)
        posix_spawn_file_actions_adddup2(&actions, 0, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        posix_spawnattr_setflags(&attributes, Self.newSession)
        let path = "\(Process.folder)/convergectl"
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        let terminalOnly = ["LC_ALL=C.UTF-8", "TERM=xterm", "NO_COLOR=1"]
        var variables = (terminalOnly + Process.inherited + environment).map { strdup($0) } + [nil]
        var child: pid_t = 0
        let failure = posix_spawn(&child, path, &actions, &attributes, &words, &variables)
        posix_spawn_file_actions_destroy(&actions)
        posix_spawnattr_destroy(&attributes)
        for word in words + variables { free(word) }
        guard failure == 0 else { throw ClientFailure("cannot start \(path): errno \(failure)") }
        pid = child
    }

    deinit {
        if !isWaitedFor {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
        }
        close(master)
    }

    func type(_ keys: String) throws {
        var bytes = Array(keys.utf8)
        guard write(master, &bytes, bytes.count) == bytes.count else {
            throw ClientFailure("cannot type: errno \(errno)")
        }
    }

    /// Waits until the terminal shows the text, and returns what it showed since the last time, up to its end.
    @discardableResult
    func expect(_ text: String) throws -> String {
        let wanted = Array(text.utf8)
        let deadline = ContinuousClock.now + Self.deadline
        while true {
            if let end = unread.end(of: wanted) {
                defer { unread.removeFirst(end) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            guard ContinuousClock.now < deadline, try receive() else {
                let shown = String(decoding: unread, as: UTF8.self).debugDescription
                throw ClientFailure("'\(text)' is not shown, but: \(shown)")
            }
        }
    }

    /// The exit code, once it has ended; 128 + number when a signal ended it.
    func wait() throws -> Int32 {
        let deadline = ContinuousClock.now + Self.deadline
        while try receive() {}
        guard ContinuousClock.now < deadline else {
            throw ClientFailure(
                "it does not end, and shows: \(String(decoding: unread, as: UTF8.self).debugDescription)")
        }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        isWaitedFor = true
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }

    private func take(_ byte: UInt8) {
        switch (byte, escape.count) {
        case (0x1B, _): escape = [byte]
        case (UInt8(ascii: "["), 1), (0x20..<0x40, 2...): escape.append(byte)
        case (_, 1...): escape = []
        case (0x0D, _): break
        default: unread.append(byte)
        }
    }

    /// False when nobody has the other side open any more, or nothing comes for long.
    private func receive() throws -> Bool {
        var state = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
        let ready = poll(&state, 1, Int32(Self.deadline / .milliseconds(1)))
        if ready < 0, errno == EINTR { return true }
        guard ready > 0 else { return false }
        var piece = [UInt8](repeating: 0, count: 4096)
        let count = read(master, &piece, piece.count)
        for byte in piece.prefix(max(0, count)) { take(byte) }
        return count > 0
    }
}

extension [UInt8] {
    /// Where the first occurrence of the bytes ends.
    fileprivate func end(of part: [UInt8]) -> Int? {
        guard count >= part.count else { return nil }
        return (0...count - part.count).first { self[$0..<$0 + part.count].elementsEqual(part) }.map { $0 + part.count }
    }
}
