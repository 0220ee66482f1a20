/** `effect-pod schema`: everything that programs in other languages need to know about our JSON, in one object. */
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { manifestJsonSchema } from "../manifest/ManifestReference.ts"
import { jsonSchemas } from "../protocol/JsonSchemas.ts"
import { ExitCode } from "./CliError.ts"
import type { Command } from "./Invocation.ts"

export const schemas = (): Schema.JsonObject => {
  const { event, log_entry, method, protocol } = jsonSchemas()
  return { protocol, manifest: manifestJsonSchema(), method, event, log_entry }
}

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ terminal }) {
    yield* terminal.out(`${JSON.stringify(schemas(), null, 2)}\n`)
    return ExitCode.ok
  })
}
