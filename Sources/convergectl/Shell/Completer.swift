import ConvergeClient
import Glibc

/// Completes the word at the end of what stands before the cursor: verbs, flags, kinds, names of files.
struct Completer: Sendable {
    /// The names of the kinds, or none when the server does not say at once.
    let kinds: @Sendable () -> [String]

    func complete(_ beforeCursor: String) -> Completion {
        let scanned = ShellWords(scanning: beforeCursor)
        guard scanned.open != .backslash else { return Completion() }
        let current = scanned.endsInWord ? scanned.words.last ?? "" : ""
        let before = scanned.endsInWord ? Array(scanned.words.dropLast()) : scanned.words
        let candidates = candidates(before, current).filter { $0.hasPrefix(current) }
        let choices = Set(candidates).sorted()
        guard let first = choices.first else { return Completion() }
        let common = choices.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        var insertion = quoted(String(common.unicodeScalars.dropFirst(current.unicodeScalars.count)), in: scanned.open)
        if choices.count == 1, !first.hasSuffix("/") {
            insertion += (scanned.open.map { String($0.rawValue) } ?? "") + " "
        }
        return Completion(insertion: insertion, choices: choices.map(Self.lastPart))
    }

    /// Everything that may stand here.
    private func candidates(_ before: [String], _ current: String) -> [String] {
        let flags = GlobalOptions.flags + Verb.all.flatMap(\.flags)
        var words: [String] = []
        var given = Set<String>()
        var wanted: Flag?
        for word in before {
            if wanted != nil {
                wanted = nil
            } else if word.hasPrefix("--") {
                let name = word.split(separator: "=").first.map(String.init) ?? word
                given.insert(name)
                if !word.contains("=") { wanted = flags.first { $0.name == name && $0.value != nil } }
            } else {
                words.append(word)
            }
        }
        if let wanted { return wanted.value == "FILE" ? Self.files(current) : [] }
        if words.first == "help" { return Self.verbs(behind: Array(words.dropFirst())) }
        let found = try? Verb.find(words)
        if current.hasPrefix("-") {
            return (GlobalOptions.flags + (found?.verb.flags ?? [])).map(\.name).filter { !given.contains($0) }
        }
        guard let (verb, given) = found else {
            return Self.verbs(behind: words) + (words.isEmpty ? Shell.ownWords : [])
        }
        guard given.count < verb.words.count else { return [] }
        switch verb.words[given.count] {
        case "KIND": return kinds()
        case "FILE": return Self.files(current)
        default: return []
        }
    }

    /// First words of verbs, or second ones.
    private static func verbs(behind words: [String]) -> [String] {
        let names = Verb.all.filter { $0.name != Verb.shell.name }.map {
            $0.name.split(separator: " ").map(String.init)
        }
        return names.filter { $0.count > words.count && Array($0.prefix(words.count)) == words }.map { $0[words.count] }
    }

    private static let filesMax = 10_000

    /// Files in the folder that the word names so far; folders end with `/`.
    private static func files(_ current: String) -> [String] {
        let folder = current.lastIndex(of: "/").map { String(current[...$0]) } ?? ""
        let isHiddenWanted = current.dropFirst(folder.count).hasPrefix(".")
        guard let directory = opendir(folder.isEmpty ? "." : folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < filesMax, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(validatingCString: $0) }
            }
            guard let name, name != ".", name != "..", isHiddenWanted || !name.hasPrefix(".") else { continue }
            // A name with control characters could not be typed again.
            guard shown(name) == name else { continue }
            var status = stat()
            let isFolder = stat(folder + name, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            names.append(folder + name + (isFolder ? "/" : ""))
        }
        return names
    }

    /// As a list shows it: the name without the folders before it.
    private static func lastPart(_ name: String) -> String {
        let parts = name.split(separator: "/")
        guard let last = parts.last, parts.count > 1 else { return name }
        return String(last) + (name.hasSuffix("/") ? "/" : "")
    }

    /// Text to be typed, so that it means itself.
    private func quoted(_ text: String, in quote: ShellWords.Quote?) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch quote {
            case .single? where character == "'": result += "'\\''"
            case .double? where character == "\"" || character == "\\": result += "\\\(character)"
            case nil where " \t'\"\\#|<>&;".unicodeScalars.contains(character): result += "\\\(character)"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        var common = String.UnicodeScalarView()
        for (mine, theirs) in zip(unicodeScalars, other.unicodeScalars) {
            guard mine == theirs else { break }
            common.append(mine)
        }
        return String(common)
    }
}
