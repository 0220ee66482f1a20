/** `effect-pod version`: what this is, and what it speaks. */
import * as Effect from "effect/Effect"
import { protocols } from "../protocol/Protocols.ts"
import { version } from "../Version.ts"
import { ExitCode } from "./CliError.ts"
import type { Command } from "./Invocation.ts"

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ flags, terminal }) {
    yield* terminal.out(
      flags["json"] === true
        ? `${JSON.stringify({ name: "effect-pod", version, protocol: protocols, node: process.versions.node })}\n`
        : `effect-pod ${version}\nprotocol ${protocols.join(", ")}\nnode ${process.versions.node}\n`
    )
    return ExitCode.ok
  })
}
