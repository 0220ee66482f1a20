/**
 * `--takeover`: ends an owner that is stopped or hangs, before its place is taken.
 *
 * A pod that answers is left alone: to end that one there is `effect-pod stop`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as LeaseInspector from "../../layers/runtime/LeaseInspector.ts"
import * as LeaseTakeover from "../../layers/runtime/LeaseTakeover.ts"
import * as Client from "./Client.ts"
import { type CliError, failed, held } from "./CliError.ts"
import { leaseError } from "./Failures.ts"
import { directoriesOf } from "./Directories.ts"
import type { Prepared } from "./Prepare.ts"
import * as Values from "./Values.ts"

/** An owner that has not answered for so long hangs. One that is still starting has a socket by then. */
const patience = Duration.seconds(5)
const poll = "100 millis"

/** "free": nobody holds the pod, or nobody any more. "answers": its owner is well, and was not touched. */
export const takeOver = Effect.fn("Takeover.takeOver")(function* ({
  invocation: { env, flags, terminal },
  name
}: Prepared): Effect.fn.Return<"free" | "answers", CliError> {
  const directories = yield* directoriesOf(env)
  const where = { runtimeDir: directories.runtime, dataDir: directories.data, podName: name }
  const grace = yield* Values.duration(flags, "grace", Duration.seconds(10))
  const find = Effect.mapError(LeaseInspector.ownerOf(where), leaseError)
  const owner = yield* find
  if (owner === undefined) return "free"
  if (!owner.stopped) {
    const state = yield* ask(owner)
    if (state === "answers") return "answers"
    // It may have been about to end when it was asked.
    const now = yield* find
    if (now === undefined) return "free"
    if (now.pid !== owner.pid || now.start_time !== owner.start_time) return "answers"
  }
  const why = owner.stopped ? "was stopped (SIGSTOP)" : `had not answered for ${Duration.format(patience)}`
  yield* terminal.err(`note: taking ${name} over: process ${owner.pid} holds it and ${why}; it is ended now\n`)
  const how = yield* LeaseTakeover.end({ ...where, owner, grace }).pipe(
    Effect.mapError((error) => (error._tag === "TakeoverRefused" ? held(error.message, error.hint) : leaseError(error)))
  )
  const ending =
    how === "ended" ? "has ended on SIGTERM" : `was killed: SIGTERM did not end it in ${Duration.format(grace)}`
  yield* terminal.err(`note: process ${owner.pid} ${ending}\n`)
  return "free"
})

const ask = (owner: LeaseInspector.Owner): Effect.Effect<"answers" | "hangs", CliError> => {
  const { pid, pod_name, socket } = owner
  if (socket === null) {
    return held(
      `${pod_name} is held by process ${pid}, which has no socket: whether it hangs cannot be found out`,
      "end it by its own means, or stop it (kill -STOP) first if it is to be taken over"
    )
  }
  return Effect.scoped(Client.connect(socket, { tail: 0, timeout: patience, lines: false })).pipe(
    Effect.as("answers" as const),
    Effect.retry({
      schedule: Schedule.spaced(poll),
      while: ({ reason }) => reason !== "Denied" && reason !== "NoAnswer"
    }),
    Effect.timeoutOption(patience),
    Effect.map((answer) => (answer._tag === "Some" ? answer.value : "hangs")),
    Effect.catch((error) =>
      error.reason === "Denied"
        ? Effect.fail(failed(`${pod_name}: ${error.message}`, "it belongs to another user"))
        : Effect.succeed("hangs" as const)
    )
  )
}
