/// When the open window closes (F1).
struct Window {
    let microseconds: Int64
    /// Monotonic microseconds; nil: the partition is clean.
    private(set) var deadline: Int64?
    /// Turn in which the window opened: writes of earlier turns are in earlier windows.
    private(set) var openedTurn: UInt64 = 0

    init(milliseconds: Int) { microseconds = Int64(milliseconds) * 1_000 }

    var isOpen: Bool { deadline != nil }

    func isDue(at now: Int64) -> Bool { deadline.map { $0 <= now } ?? false }

    /// Whether writes of this turn, or of earlier ones, may be in it.
    func mayHold(_ turn: UInt64) -> Bool { isOpen && openedTurn <= turn }

    mutating func open(at now: Int64, turn: UInt64) {
        deadline = now + microseconds
        openedTurn = turn
    }

    mutating func close() { deadline = nil }

    /// The flush could not be had: try again a window later, or soon.
    mutating func postpone(from now: Int64) { deadline = now + max(microseconds, 1_000) }
}
