/// One line of the day's record: a flight as it was planned and as it went. `nil` is what did not happen.
struct Flight: Sendable {
    var carrier, number, tail, origin, destination: String
    var scheduledDeparture, scheduledArrival: Int  // local hhmm
    var distance: Int  // miles
    var departure, departureDelay: Int?  // hhmm; minutes
    var arrival, arrivalDelay, airTime: Int?  // hhmm local to the destination; minutes; minutes

    /// Unique in the day: carrier, flight, origin, scheduled time.
    var id: String { "\(carrier)-\(number)-\(origin)-\(scheduledDeparture)" }

    /// Minutes since midnight in New York at which the flight left, on this day or the next.
    var leftAt: Int? {
        guard departure != nil, let delay = departureDelay else { return nil }
        return minutes(scheduledDeparture) + delay
    }

    /// Minutes since midnight at which it landed: departure + air time. Where no air time was recorded, the recorded arrival
    /// is taken as a New York time, on the next day if it would lie before the departure.
    var landedAt: Int? {
        guard let leftAt else { return nil }
        if let airTime { return leftAt + airTime }
        guard let arrival else { return nil }
        let landed = minutes(arrival)
        return landed < leftAt ? landed + 24 * 60 : landed
    }

    /// When the schedule gives up on a flight that never left: 6 hours after its time.
    var givenUpAt: Int? { departure == nil ? minutes(scheduledDeparture) + 6 * 60 : nil }

    private func minutes(_ hhmm: Int) -> Int { hhmm / 100 * 60 + hhmm % 100 }
}

struct FlightFileError: Error, CustomStringConvertible { var description: String }

/// The day's flights from the CSV text; columns are found by their names in the first line.
func readFlights(_ text: String) throws -> [Flight] {
    var lines = text.split(whereSeparator: \.isNewline).makeIterator()
    guard let header = lines.next() else { throw FlightFileError(description: "the flight file is empty") }
    let names = header.split(separator: ",").map(String.init)
    var flights: [Flight] = []
    var line = 1
    while let row = lines.next() {
        line += 1
        let cells = row.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard cells.count == names.count else {
            throw FlightFileError(
                description: "line \(line): \(cells.count) columns, the first line names \(names.count)")
        }
        func text(_ name: String) throws -> String {
            guard let at = names.firstIndex(of: name) else {
                throw FlightFileError(description: "the flight file has no column '\(name)'")
            }
            return cells[at]
        }
        func optional(_ name: String) throws -> Int? {
            let cell = try text(name)
            if cell.isEmpty { return nil }
            guard let value = Int(cell) else {
                throw FlightFileError(description: "line \(line): column '\(name)' is not a number: \(cell)")
            }
            return value
        }
        func number(_ name: String) throws -> Int {
            guard let value = try optional(name) else {
                throw FlightFileError(description: "line \(line): column '\(name)' is empty")
            }
            return value
        }
        flights.append(
            Flight(
                carrier: try text("carrier"), number: try text("flight"), tail: try text("tailnum"),
                origin: try text("origin"), destination: try text("dest"),
                scheduledDeparture: try number("sched_dep_time"), scheduledArrival: try number("sched_arr_time"),
                distance: try number("distance"), departure: try optional("dep_time"),
                departureDelay: try optional("dep_delay"), arrival: try optional("arr_time"),
                arrivalDelay: try optional("arr_delay"), airTime: try optional("air_time")))
    }
    return flights
}
