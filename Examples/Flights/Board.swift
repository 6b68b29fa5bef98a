import ConvergeClient
import Glibc

/// The departures board: redrawn in place on a terminal, one line an event worth telling elsewhere.
///
/// It knows only what the subscription tells it, and the day's clock.
actor Board {
    private struct Line {
        var destination: String
        var scheduled, departure, delay: Int
        var landed: Bool
    }
    private let clock: DayClock
    private let isTerminal = isatty(1) == 1
    private var lines: [String: Line] = [:]
    private var recent: [String] = []
    private var departed = 0, landed = 0, gone = 0
    private var drawnAt: Int64 = 0
    private var toldHour = -1
    private var isFirst = true

    init(clock: DayClock) { self.clock = clock }

    func show(_ change: Change) {
        let id = change.id.description
        take(change, id)
        isTerminal ? draw() : tell()
    }

    /// Draws on while no flight does anything, so that the clock goes on. Ends with its task.
    func tick() async {
        while isTerminal, !Task.isCancelled {
            draw()
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    func end() {
        drawnAt = 0
        guard isTerminal else { return tell(last: true) }
        draw()
        print("\u{1B}[?25h", terminator: "")
        fflush(nil)
    }

    private func take(_ change: Change, _ id: String) {
        guard let row = change.row else {
            guard lines.removeValue(forKey: id) != nil else { return }
            gone += 1
            recent.removeAll { $0 == id }
            if !isTerminal { print("\(DayClock.text(clock.minute))  \(id) never left: deleted") }
            return
        }
        let before = lines[id]
        let line = Line(
            destination: row["destination"]?.text ?? "", scheduled: row["scheduled_departure"]?.number ?? 0,
            departure: row["departure"]?.number ?? 0, delay: row["departure_delay"]?.number ?? 0,
            landed: row["arrival"]?.number ?? 0 != 0)
        lines[id] = line
        if line.departure != 0, before?.departure ?? 0 == 0 {
            departed += 1
            recent.insert(id, at: 0)
            if recent.count > 15 { recent.removeLast() }
        }
        if line.landed, !(before?.landed ?? false) { landed += 1 }
    }

    private var summary: String {
        "\(lines.count) flights: \(lines.count - departed) waiting, \(departed - landed) in the air or away, "
            + "\(landed) landed, \(gone) never left"
    }

    private func tell(last: Bool = false) {
        let hour = max(0, clock.minute) / 60
        guard last || hour != toldHour else { return }
        toldHour = hour
        print("\(last ? "end  " : DayClock.text(hour * 60))  \(summary)")
        fflush(nil)
    }

    private func draw() {
        let now = DayClock.milliseconds()
        guard now - drawnAt >= 50 else { return }
        drawnAt = now
        var text = "  NEW YORK DEPARTURES  1 January 2013  \(DayClock.text(max(0, clock.minute)))\n\n"
        text += "  flight                to   sched  left   delay\n"
        for id in recent {
            guard let line = lines[id] else { continue }
            let delay = line.delay > 0 ? "+\(line.delay)" : "\(line.delay)"
            text +=
                "  \(padded(id, 20))  \(padded(line.destination, 3))  \(time(line.scheduled))  \(time(line.departure))  "
            text += "\(padded(delay, 5)) \(line.landed ? "landed" : "")\n"
        }
        text += String(repeating: "\n", count: max(0, 15 - recent.count)) + "\n  \(summary)\n"
        // Over the old picture rather than after clearing it: nothing flickers, nothing scrolls away.
        let clearing = isFirst ? "\u{1B}[2J" : ""
        isFirst = false
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\u{1B}[K\n")
        print(clearing + "\u{1B}[?25l\u{1B}[H" + lines + "\u{1B}[J", terminator: "")
        fflush(nil)
    }

    private func time(_ hhmm: Int) -> String { "\(DayClock.padded(hhmm / 100)):\(DayClock.padded(hhmm % 100))" }
    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

extension Value {
    fileprivate var text: String? { if case .string(let text) = self { text } else { nil } }
    fileprivate var number: Int? {
        switch self {
        case .unsigned(let value): Int(exactly: value)
        case .signed(let value): Int(exactly: value)
        default: nil
        }
    }
}
