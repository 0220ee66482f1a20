/** `effect-pod stop NAME`: asks the pod to shut down and waits until its name is free. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { ExitCode, failed } from "./CliError.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import * as Values from "./Values.ts"

const poll = "20 millis"

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const grace = yield* Values.duration(flags, "grace", Duration.seconds(10))
    const machine = yield* Machine.make(env)
    const owner = yield* machine.owner(name)
    if (owner === undefined) {
      const known = yield* Effect.result(machine.pods.get(name))
      if (known._tag === "Success" && Option.isNone(known.success)) return yield* Machine.unknownPod(machine, name)
      yield* terminal.err(`${name} is not running\n`)
      return ExitCode.ok
    }
    yield* terminal.err(`stopping ${name} (pid ${owner.pid})\n`)
    // The pod may close the connection before its reply is through; what counts is that it lets go of its name.
    const asked = yield* Effect.result(
      Effect.scoped(
        Effect.gen(function* () {
          const client = yield* Machine.connect(machine, name, { tail: 0, timeout: "5 seconds", lines: false })
          yield* Effect.catchTag(client.request("shutdown", undefined, "5 seconds"), "Unreachable", () => Effect.void)
        })
      )
    )
    if (asked._tag === "Failure" && (yield* machine.owner(name)) !== undefined) {
      return yield* asked.failure._tag === "Refused" ? failed(asked.failure.message, asked.failure.hint) : asked.failure
    }
    const gone = yield* machine.owner(name).pipe(
      Effect.repeat({
        until: (holder) => holder === undefined || holder.pid !== owner.pid,
        schedule: Schedule.spaced(poll)
      }),
      Effect.timeoutOption(grace)
    )
    if (Option.isNone(gone)) {
      return yield* failed(
        `${name} is still running after ${Duration.format(grace)} (pid ${owner.pid})`,
        `kill -TERM ${owner.pid}, and kill -KILL ${owner.pid} if that does not help; nothing committed is lost`
      )
    }
    yield* terminal.err(`stopped ${name}\n`)
    return ExitCode.ok
  })
}
