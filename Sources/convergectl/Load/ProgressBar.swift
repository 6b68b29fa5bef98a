import Glibc

/// A bar on stderr that is drawn again when it has moved; nothing where stderr is no terminal.
struct ProgressBar {
    private static let width = 30

    private let isShown = isatty(STDERR_FILENO) == 1
    private let total: Int?
    private var last = -1

    init(total: Int?) {
        self.total = total
    }

    mutating func update(bytes: Int, records: Int) {
        guard isShown else { return }
        if let total, total > 0 {
            let percent = min(100, bytes * 100 / total)
            guard percent != last else { return }
            last = percent
            let full = percent * Self.width / 100
            let bar = String(repeating: "#", count: full) + String(repeating: ".", count: Self.width - full)
            draw("[\(bar)] \(percent) %  \(grouped("\(records)")) records")
        } else if bytes >> 20 != last {
            last = bytes >> 20
            draw("\(grouped("\(records)")) records")
        }
    }

    /// Clears the line for what is said next.
    func end() {
        if isShown, last >= 0 { draw("") }
    }

    private func draw(_ text: String) {
        _ = writeAll(STDERR_FILENO, Array("\r\u{1B}[K\(text)".utf8))
    }
}
