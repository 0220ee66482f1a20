/** `effect-pod help [COMMAND]`. */
import * as Effect from "effect/Effect"
import { nearest } from "../protocol/Nearest.ts"
import { quote } from "./Args.ts"
import { ExitCode, usage } from "./CliError.ts"
import { commandNames, isCommand } from "./Commands.ts"
import { commandHelp, programHelp } from "./Help.ts"
import type { Command } from "./Invocation.ts"

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ positionals, terminal }) {
    const name = positionals[0]
    if (name !== undefined && !isCommand(name)) {
      const meant = nearest(name, commandNames)
      return yield* usage(
        `unknown command ${quote(name)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
        "effect-pod help lists the commands"
      )
    }
    yield* terminal.out(name === undefined ? programHelp() : commandHelp(name))
    return ExitCode.ok
  })
}
