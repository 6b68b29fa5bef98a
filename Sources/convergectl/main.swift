// Before anything starts a thread: SIGINT is waited for, not taken by whichever thread it meets.
Interrupts.prepare()
let status = await Command.run(Array(CommandLine.arguments.dropFirst()))
Command.end(status)
