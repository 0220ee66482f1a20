/**
 * The program: it parses the command line, picks a command and hands it to the edge.
 *
 * `serve` is imported here, so that it is in the one file that a start has to read. Every other command is imported
 * when it is asked for, and becomes a file of its own in the build.
 */
import { parse } from "./Args.ts"
import { ExitCode } from "./CliError.ts"
import type { CommandName } from "./Commands.ts"
import * as Edge from "./Edge.ts"
import type { Command } from "./Invocation.ts"
import * as Serve from "./Serve.ts"

type Loader = () => Promise<{ readonly command: Command }>

const lazy: { readonly [Name in Exclude<CommandName, "serve">]: Loader } = {
  run: () => import("./Run.ts"),
  attach: () => import("./Attach.ts"),
  send: () => import("./Send.ts"),
  list: () => import("./List.ts"),
  status: () => import("./Status.ts"),
  inspect: () => import("./Inspect.ts"),
  delete: () => import("./Delete.ts"),
  prune: () => import("./Prune.ts"),
  repair: () => import("./Repair.ts"),
  export: () => import("./Export.ts"),
  import: () => import("./Import.ts"),
  stop: () => import("./Stop.ts"),
  log: () => import("./Log.ts"),
  doctor: () => import("./Doctor.ts"),
  models: () => import("./Models.ts"),
  schema: () => import("./SchemaCommand.ts"),
  version: () => import("./Version.ts"),
  help: () => import("./HelpCommand.ts")
}

export const main = async (argv: ReadonlyArray<string>): Promise<void> => {
  const parsed = parse(argv)
  switch (parsed._tag) {
    case "Command": {
      const { command, flags, positionals } = parsed
      const module = command === "serve" ? Serve : await lazy[command]()
      return Edge.execute(module.command, flags, positionals)
    }
    case "Help": {
      const { commandHelp, programHelp } = await import("./Help.ts")
      return Edge.print(parsed.command === undefined ? programHelp() : commandHelp(parsed.command))
    }
    case "Usage": {
      const { usageLine } = await import("./Help.ts")
      const hint = parsed.hint === undefined ? "" : `  hint: ${parsed.hint}\n`
      return Edge.fail(ExitCode.usage, `effect-pod: ${parsed.message}\n${hint}${usageLine(parsed.command)}\n`)
    }
  }
}
