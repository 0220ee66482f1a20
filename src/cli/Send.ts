/** `effect-pod send NAME METHOD [JSON]`: one method, its reply, and an exit code. For scripts. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { MethodName } from "../protocol/Method.ts"
import { type CliError, ExitCode, failed, usage } from "./CliError.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import * as Terminal from "./Terminal.ts"
import * as Values from "./Values.ts"

const parseParams = (text: string): Effect.Effect<Schema.Json, CliError> =>
  Effect.try({
    try: () => JSON.parse(text) as Schema.Json,
    catch: (cause) =>
      usage(
        `the params are not JSON: ${(cause as SyntaxError).message}`,
        "put single quotes around them, or - for stdin"
      )
  })

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const [given = "", method = "", json] = positionals
    const name = yield* Values.podName(given)
    const timeout = yield* Values.duration(flags, "timeout", Duration.seconds(30))
    const text = json === "-" ? yield* Terminal.readAll(terminal) : json
    const params = text === undefined ? undefined : yield* parseParams(text)
    if (method === "hello") {
      return yield* usage("hello is how a connection begins; send has said it already", "effect-pod status shows a pod")
    }
    const machine = yield* Machine.make(env)
    return yield* Effect.scoped(
      Effect.gen(function* () {
        const client = yield* Machine.connect(machine, name, { tail: 0, timeout: "5 seconds", lines: false })
        // A method that this version does not know is for the pod to refuse.
        const reply = yield* Effect.result(client.request(method as MethodName, params, timeout))
        if (reply._tag === "Success") {
          yield* terminal.out(`${JSON.stringify(reply.success)}\n`)
          return ExitCode.ok
        }
        if (reply.failure._tag === "Unreachable") return yield* failed(reply.failure.message)
        const { code, message } = reply.failure
        yield* terminal.err(`${JSON.stringify({ code, message })}\n`)
        return ExitCode.failed
      })
    )
  })
}
