import Glibc

/// A bar on stderr that is drawn again when it has moved; nothing where stderr is no terminal.
struct ProgressBar: ~Copyable {
    private static let width = 30

    private let isShown = isatty(STDERR_FILENO) == 1
    private let length: Options.Length
    private let what: String
    private var last = -1

    init(_ what: String, _ length: Options.Length) {
        self.what = what
        self.length = length
    }

    mutating func update(operations: Int, seconds: Double) {
        guard isShown else { return }
        let done =
            switch length {
            case .seconds(let limit): seconds / limit
            case .operations(let limit): Double(operations) / Double(limit)
            }
        let percent = Int(100 * min(1, done))
        guard percent != last else { return }
        last = percent
        let full = percent * Self.width / 100
        let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.width - full)
        draw("[\(bar)] \(percent) %  \(what), \(grouped(operations)) operations")
    }

    private func draw(_ text: String) {
        let bytes = Array("\r\u{1B}[K\(text)".utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
    }

    /// Clears the line for what is said next.
    deinit {
        if isShown, last >= 0 { draw("") }
    }
}
