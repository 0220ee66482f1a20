/**
 * The program's door. It parses the command line, picks a command and hands it to the edge.
 *
 * `serve` is imported here, so that it is in the one file that a start has to read. Every other command is imported
 * when it is asked for, and becomes a file of its own in the build.
 */
import { parse } from "./cli/Args.ts"
import { ExitCode } from "./cli/CliError.ts"
import type { AvailableCommand } from "./cli/Commands.ts"
import * as Edge from "./cli/Edge.ts"
import type { Command } from "./cli/Invocation.ts"
import * as Serve from "./cli/Serve.ts"

type Loader = () => Promise<{ readonly command: Command }>

const lazy: { readonly [Name in Exclude<AvailableCommand, "serve">]: Loader } = {
  run: () => import("./cli/Run.ts"),
  attach: () => import("./cli/Attach.ts"),
  send: () => import("./cli/Send.ts"),
  list: () => import("./cli/List.ts"),
  status: () => import("./cli/Status.ts"),
  inspect: () => import("./cli/Inspect.ts"),
  delete: () => import("./cli/Delete.ts"),
  prune: () => import("./cli/Prune.ts"),
  repair: () => import("./cli/Repair.ts"),
  export: () => import("./cli/Export.ts"),
  import: () => import("./cli/Import.ts"),
  stop: () => import("./cli/Stop.ts"),
  log: () => import("./cli/Log.ts"),
  doctor: () => import("./cli/Doctor.ts"),
  schema: () => import("./cli/SchemaCommand.ts"),
  version: () => import("./cli/Version.ts"),
  help: () => import("./cli/HelpCommand.ts")
}

const main = async (argv: ReadonlyArray<string>): Promise<void> => {
  const parsed = parse(argv)
  switch (parsed._tag) {
    case "Command": {
      const { command, flags, positionals } = parsed
      const module = command === "serve" ? Serve : await lazy[command]()
      return Edge.execute(module.command, flags, positionals)
    }
    case "Help": {
      const { commandHelp, programHelp } = await import("./cli/Help.ts")
      return Edge.print(parsed.command === undefined ? programHelp() : commandHelp(parsed.command))
    }
    case "Usage": {
      const { usageLine } = await import("./cli/Help.ts")
      const hint = parsed.hint === undefined ? "" : `  hint: ${parsed.hint}\n`
      return Edge.fail(ExitCode.usage, `effect-pod: ${parsed.message}\n${hint}${usageLine(parsed.command)}\n`)
    }
  }
}

// Not awaited at the top level: the commands' files import this one, and would wait for it while it waits for them.
main(process.argv.slice(2)).catch((cause: unknown) =>
  Edge.fail(ExitCode.failed, `effect-pod: a part of the program cannot be loaded: ${String(cause)}\n`)
)
