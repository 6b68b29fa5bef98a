import Glibc

/// Standard output: data only. Collects lines and writes them in large pieces; whoever shows something live flushes when
/// nothing more is waiting.
final class Output {
    private var bytes: [UInt8] = []
    private static let flushAt = 64 << 10

    let isTerminal = isatty(STDOUT_FILENO) == 1
    /// Colour only for a person who did not decline it (https://no-color.org).
    let colours: Bool

    init() {
        let declined = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
        colours = isTerminal && !declined
        bytes.reserveCapacity(Self.flushAt + 4096)
    }

    func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
        if bytes.count >= Self.flushAt { flush() }
    }

    /// Text that carries its own line ends.
    func write(_ text: [UInt8]) {
        bytes += text
        if bytes.count >= Self.flushAt { flush() }
    }

    /// Writes what is collected. A reader that has gone (`| head`) ends the command quietly: it has what it wanted.
    func flush() {
        guard !bytes.isEmpty else { return }
        switch writeAll(STDOUT_FILENO, bytes) {
        case 0: bytes.removeAll(keepingCapacity: true)
        case EPIPE: _exit(ExitCode.ok.rawValue)
        case let error:
            talk("convergectl: cannot write to standard output: \(String(cString: strerror(error)))")
            _exit(ExitCode.usage.rawValue)
        }
    }

    func paint(_ text: String, _ colour: Colour) -> String {
        colours ? "\u{1B}[\(colour.rawValue)m\(text)\u{1B}[0m" : text
    }

    enum Colour: Int {
        case bold = 1
        case dim = 2
        case red = 31
        case green = 32
        case yellow = 33
        case cyan = 36
    }
}

/// A sentence for a person, on stderr.
func talk(_ text: String) {
    _ = writeAll(STDERR_FILENO, Array("\(text)\n".utf8))
}

/// 0, or the errno that stopped it.
func writeAll(_ descriptor: Int32, _ bytes: [UInt8]) -> Int32 {
    bytes.withUnsafeBytes { buffer in
        var offset = 0
        while offset < buffer.count {
            let written = write(descriptor, buffer.baseAddress! + offset, buffer.count - offset)
            if written > 0 {
                offset += written
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&waiting, 1, -1)
            } else if errno != EINTR {
                return errno
            }
        }
        return 0
    }
}

/// Text from outside, made safe to show: control characters, which a terminal would obey, become `\u{..}`.
func shown(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { isControl($0) }) else { return text }
    var safe = ""
    for scalar in text.unicodeScalars {
        if isControl(scalar) {
            safe += "\\u{\(String(scalar.value, radix: 16))}"
        } else {
            safe.unicodeScalars.append(scalar)
        }
    }
    return safe
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
}
