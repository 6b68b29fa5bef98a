import ConvergeClient

/// The three sources of the demo. Each owns other fields of `Flight` (flight.json), and none knows of the others.
enum SourceRole: String {
    case schedule, departures, arrivals

    var source: UInt8 {
        switch self {
        case .schedule: 1
        case .departures: 2
        case .arrivals: 3
        }
    }
}

/// Something a source has to say about a flight at a minute of the day. A value that did not happen is not said.
struct Report {
    enum Saying {
        case asserts([(name: String, value: Value)])
        case patches([(name: String, value: Value)])
        case retracts
    }
    var minute: Int
    var id: String
    var saying: Saying
}

extension SourceRole {
    /// Everything this source says over the day, in order of time.
    func reports(on flights: [Flight]) -> [Report] {
        flights.flatMap(reports).sorted { $0.minute < $1.minute }
    }

    private func reports(on flight: Flight) -> [Report] {
        switch self {
        case .schedule:
            let plan = Report(minute: 0, id: flight.id, saying: .asserts(flight.plan))
            guard let minute = flight.givenUpAt else { return [plan] }
            return [plan, Report(minute: minute, id: flight.id, saying: .retracts)]
        case .departures:
            guard let minute = flight.leftAt else { return [] }
            return [Report(minute: minute, id: flight.id, saying: .patches(flight.departureFacts))]
        case .arrivals:
            guard let minute = flight.landedAt else { return [] }
            return [Report(minute: minute, id: flight.id, saying: .patches(flight.arrivalFacts))]
        }
    }
}

extension Flight {
    var plan: [(name: String, value: Value)] {
        [
            ("destination", .string(destination)), ("tail", .string(tail)),
            ("scheduled_departure", .signed(Int64(scheduledDeparture))),
            ("scheduled_arrival", .signed(Int64(scheduledArrival))), ("distance", .signed(Int64(distance))),
        ]
    }
    var departureFacts: [(name: String, value: Value)] {
        facts([("departure", departure), ("departure_delay", departureDelay)])
    }
    var arrivalFacts: [(name: String, value: Value)] {
        facts([("arrival", arrival), ("arrival_delay", arrivalDelay), ("air_time", airTime)])
    }
    private func facts(_ all: [(name: String, value: Int?)]) -> [(name: String, value: Value)] {
        all.compactMap { fact in fact.value.map { (name: fact.name, value: .signed(Int64($0))) } }
    }
}

/// Plays one source's day against a server: each report when the clock says its minute.
func play(_ role: SourceRole, flights: [Flight], clock: DayClock, at address: Address) async throws {
    var options = ClientOptions()
    options.name = role.rawValue
    options.source = role.source
    options.liveness = .never
    let client = try await Client.connect(host: address.host, port: address.port, options: options)
    let kind = try await client.kind(named: "Flight")
    var counts = (asserted: 0, patched: 0, retracted: 0)
    for report in role.reports(on: flights) {
        try await clock.wait(for: report.minute)
        let id = try EntityID.text(report.id)
        switch report.saying {
        case .asserts(let values):
            try await client.assert(kind, id, values)
            counts.asserted += 1
        case .patches(let values):
            try await client.patch(kind, id, values)
            counts.patched += 1
        case .retracts:
            try await client.retract(kind, id)
            counts.retracted += 1
        }
    }
    try await client.sync().check()
    await client.close()
    say("\(role.rawValue): \(counts.asserted) asserted, \(counts.patched) patched, \(counts.retracted) retracted")
}
