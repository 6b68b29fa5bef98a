/// Parts of sentences about input. Input is hostile: what is quoted is cut short and made printable.
package enum Sentence {
    package static let quotedCharacters = 48

    /// `text` between single quotes, printable, at most 48 characters of it.
    package static func quote(_ text: String) -> String { "'" + shorten(text) + "'" }

    /// `text` printable, at most 48 characters of it, then `…`.
    package static func shorten(_ text: String) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if count == quotedCharacters { return result + "…" }
            if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || scalar.properties.isBidiControl {
                result += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                result.unicodeScalars.append(scalar)
            }
            count += 1
        }
        return result
    }

    /// `1048576` as `1,048,576`.
    package static func grouped(_ number: Int) -> String {
        var result = ""
        let digits = Array(String(number.magnitude))
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return number < 0 ? "-" + result : result
    }

    /// `; did you mean 'status'?` when a candidate is close to what was given, else nothing.
    package static func suggestion(for given: String, among candidates: some Sequence<String>) -> String {
        guard let nearest = nearest(to: given, among: candidates) else { return "" }
        return "; did you mean \(quote(nearest))?"
    }

    /// The candidate with the smallest edit distance, if that is at most a third of its length (at least 1).
    package static func nearest(to given: String, among candidates: some Sequence<String>) -> String? {
        let wanted = Array(given.utf8.prefix(SchemaLimits.nameBytes + 1))
        guard !wanted.isEmpty, wanted.count <= SchemaLimits.nameBytes else { return nil }
        var best: (distance: Int, name: String)?
        for candidate in candidates {
            let bytes = Array(candidate.utf8)
            guard bytes.count <= SchemaLimits.nameBytes else { continue }
            let distance = editDistance(wanted, bytes)
            guard distance <= Swift.max(1, Swift.max(wanted.count, bytes.count) / 3) else { continue }
            if best.map({ distance < $0.distance }) ?? true { best = (distance, candidate) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours, letters compared without case.
    private static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        func same(_ a: UInt8, _ b: UInt8) -> Bool { lowercased(a) == lowercased(b) }
        var older: [Int] = []
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var next = [i + 1]
            for (j, b) in right.enumerated() {
                var best = Swift.min(row[j] + (same(a, b) ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, same(a, right[j - 1]), same(left[i - 1], b) {
                    best = Swift.min(best, older[j - 1] + 1)
                }
                next.append(best)
            }
            older = row
            row = next
        }
        return row[right.count]
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}
