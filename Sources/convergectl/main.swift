// Before anything else starts a thread.
Interrupts.prepare()
let status = await Command.run(Array(CommandLine.arguments.dropFirst()))
Command.end(status)
