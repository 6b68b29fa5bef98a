import ConvergeServer
import Glibc

let usage = """
    convergedb serve --memory [flags]   serves until SIGTERM or SIGINT
    convergedb --version
    convergedb --help

    flags of serve (environment: CONVERGEDB_LISTEN for --listen, and so on):
    \(ServeOptions.help)

    exit codes:
      0    stopped in order by SIGTERM or SIGINT
      1    could not start, or could not go on
      2    wrong command line
      128+ ended at once by a second signal: 128 and its number
    """

/// Writes a line on stderr.
func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Ends the program with one sentence on stderr: 2 for a wrong command line, 1 for everything else.
func fail(_ sentence: String, code: Int32) -> Never {
    say("convergedb: \(sentence)")
    exit(code)
}

switch CommandLine.arguments.dropFirst().first {
case "serve": serve(Array(CommandLine.arguments.dropFirst(2)))
case "--version", "version": print("convergedb \(Server.version)")
case "--help", "-h", "help": print(usage)
case nil:
    say(usage)
    exit(2)
case let other?:
    fail("unknown command '\(other)'; the command is 'serve' (convergedb --help says more)", code: 2)
}
