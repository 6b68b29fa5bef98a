import Glibc

/// The whole program: parse, run the workload, print, say in one sentence what went wrong.
enum Command {
    static func run(_ arguments: [String]) -> ExitCode {
        do {
            let line = try Arguments(arguments)
            guard !line.isAskingForHelp else {
                print(Usage.text)
                return .ok
            }
            let workload = try Workload.named(line.word)
            var options = workload.defaults
            try line.apply(to: &options, workload: workload.name)
            let report = try workload.run(options)
            print(options.json ? report.json : report.table)
            return .ok
        } catch let failure as BenchFailure {
            talk("converge-bench: \(failure.sentence)")
            return failure.code
        } catch {
            talk("converge-bench: \(error)")
            return .usage
        }
    }

    private static func print(_ text: String) {
        Swift.print(text)
        fflush(nil)
    }
}

/// A sentence for a person, on stderr.
func talk(_ text: String) {
    let bytes = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}
