/**
 * `effect-pod serve`: one pod in the foreground, until it is told to stop.
 *
 * Exactly one line on stderr says that it is ready; stdout stays empty. A stop is bounded by `--grace`, whatever hangs.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { protocols } from "../protocol/Protocols.ts"
import { type CliError, ExitCode } from "./CliError.ts"
import { host, type Hosted } from "./Host.ts"
import type { Command, Invocation } from "./Invocation.ts"
import { prepare } from "./Prepare.ts"
import * as SdNotify from "./SdNotify.ts"
import * as Values from "./Values.ts"

const announce = Effect.fnUntraced(function* ({ env, flags, terminal }: Invocation, hosted: Hosted) {
  const { entries, handle, restored, socket } = hosted
  const record = {
    event: "ready",
    pod: handle.name,
    socket,
    restored,
    entries,
    protocol: protocols,
    pid: process.pid
  }
  const line = `POD-READY\t${handle.name}\t${socket}\n`
  yield* terminal.err(flags["log-format"] === "json" ? `${line}${JSON.stringify(record)}\n` : line)
  yield* SdNotify.notify(env, "--ready", `--status=${handle.name} is ready`, `--pid=${process.pid}`)
})

const work = (invocation: Invocation): Effect.Effect<void, CliError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const prepared = yield* prepare(invocation)
      const hosted = yield* host(prepared)
      yield* announce(invocation, hosted)
      yield* hosted.handle.stopped
    })
  )

export const command: Command = {
  signals: "graceful",
  logLevel: "Info",
  run: Effect.fnUntraced(function* (invocation) {
    const { env, flags } = invocation
    const grace = yield* Values.duration(flags, "grace", Duration.seconds(10))
    const told = Effect.gen(function* () {
      const signal = yield* invocation.signal
      yield* invocation.endWithin(
        Duration.toMillis(grace),
        `the pod did not stop within ${Duration.format(grace)} and was ended; what it had committed is kept`
      )
      yield* Effect.logInfo(`${signal}: shutting down`)
      yield* SdNotify.notify(env, "STOPPING=1")
    })
    // Losing the race closes the scope of the work: that is the shutdown.
    yield* Effect.raceFirst(work(invocation), told)
    return ExitCode.ok
  })
}
