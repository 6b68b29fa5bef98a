import ConvergeJSON

/// What ADMIN stats says, as one shard knows it: numbers with names that can be put together over all shards.
struct StatisticsTree: Sendable {
    enum Value: Sendable {
        case sum(Int64)
        case highest(Int64)
        /// The same on every shard.
        case same(Int64)
        case text(String)
        case object(StatisticsTree)
        /// In the order of the member `key`, and put together where that is equal.
        case list([StatisticsTree], key: String)
    }

    private(set) var members: [(name: String, value: Value)] = []

    mutating func sum(_ name: String, _ value: some BinaryInteger) {
        members.append((name, .sum(Int64(clamping: value))))
    }
    mutating func highest(_ name: String, _ value: some BinaryInteger) {
        members.append((name, .highest(Int64(clamping: value))))
    }
    mutating func same(_ name: String, _ value: some BinaryInteger) {
        members.append((name, .same(Int64(clamping: value))))
    }
    mutating func text(_ name: String, _ value: String) { members.append((name, .text(value))) }
    mutating func list(_ name: String, by key: String, _ items: [StatisticsTree]) {
        members.append((name, .list(items, key: key)))
    }
    mutating func object(_ name: String, _ fill: (inout StatisticsTree) -> Void) {
        var tree = StatisticsTree()
        fill(&tree)
        members.append((name, .object(tree)))
    }

    /// What something is now, was at most since the start, and may be: each shard has its share of it.
    mutating func bound(_ name: String, now: some BinaryInteger, peak: some BinaryInteger, max: some BinaryInteger) {
        sum("\(name)_now", now)
        sum("\(name)_peak", peak)
        sum("\(name)_max", max)
    }

    /// The same where the bound is not divided.
    mutating func commonBound(
        _ name: String, now: some BinaryInteger, peak: some BinaryInteger, max: some BinaryInteger
    ) {
        sum("\(name)_now", now)
        sum("\(name)_peak", peak)
        same("\(name)_max", max)
    }

    // ------------------------------------------------------------------------------------------------- putting together

    mutating func add(_ other: StatisticsTree) {
        for index in members.indices where index < other.members.count {
            members[index].value = Self.together(members[index].value, other.members[index].value)
        }
    }

    private static func together(_ one: Value, _ other: Value) -> Value {
        switch (one, other) {
        case (.sum(let a), .sum(let b)): return .sum(a &+ b)
        case (.highest(let a), .highest(let b)): return .highest(max(a, b))
        case (.object(var a), .object(let b)):
            a.add(b)
            return .object(a)
        case (.list(let a, let key), .list(let b, _)): return .list(merge(a, b, key), key: key)
        default: return one
        }
    }

    private static func merge(_ one: [StatisticsTree], _ other: [StatisticsTree], _ key: String) -> [StatisticsTree] {
        var merged = one
        for item in other {
            if let index = merged.firstIndex(where: { $0.number(key) == item.number(key) }) {
                merged[index].add(item)
            } else {
                merged.append(item)
            }
        }
        return merged.sorted { $0.number(key) < $1.number(key) }
    }

    private func number(_ name: String) -> Int64 {
        if case .same(let number)? = members.first(where: { $0.name == name })?.value { number } else { -1 }
    }

    // ------------------------------------------------------------------------------------------------------- writing

    func write(to json: inout JSONWriter) {
        json.beginObject()
        for (name, value) in members {
            switch value {
            case .sum(let number), .highest(let number), .same(let number): json.member(name, number)
            case .text(let text): json.member(name, text)
            case .object(let tree):
                json.key(name)
                tree.write(to: &json)
            case .list(let items, _):
                json.key(name)
                json.beginArray()
                for item in items { item.write(to: &json) }
                json.endArray()
            }
        }
        json.endObject()
    }
}
