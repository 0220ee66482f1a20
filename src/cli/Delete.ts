/** `effect-pod delete NAME`: removes what is stored of a pod. Refused while it is live; `--dry-run` only says what goes. */
import * as Effect from "effect/Effect"
import type { Machine as OpenMachine } from "./Machine.ts"
import { type CliError, ExitCode, held } from "./CliError.ts"
import { hold } from "./Holding.ts"
import type { Command } from "./Invocation.ts"
import * as Machine from "./Machine.ts"
import * as Removal from "./Removal.ts"
import { bytesText } from "./Text.ts"
import * as Ids from "../runtime/Ids.ts"
import * as Values from "./Values.ts"

export const refuseLive = Effect.fnUntraced(function* (
  machine: OpenMachine,
  name: string,
  doing: string
): Effect.fn.Return<void, CliError> {
  const owner = yield* machine.owner(name)
  if (owner === undefined) return
  return yield* held(
    `${name} is live (process ${owner.pid}): a live pod cannot be ${doing}`,
    owner.stopped ? `that process is stopped: kill -CONT ${owner.pid}` : `effect-pod stop ${name} stops it`
  )
})

export const planText = ({ bytes, keep, metadata, name, remove }: Removal.RemovalPlan, done: boolean): string =>
  [
    `${done ? "removed" : "would remove"} ${name}: ${bytesText(bytes)}`,
    `  ${metadata}`,
    ...remove.map(({ path }) => `  ${path}`),
    ...keep.map(({ path }) => `  ${done ? "kept" : "would keep"} ${path}: another pod may need it`),
    ""
  ].join("\n")

export const command: Command = {
  signals: "interrupt",
  logLevel: "Warn",
  run: Effect.fnUntraced(function* ({ env, flags, positionals, terminal }) {
    const name = yield* Values.podName(positionals[0] ?? "")
    const dry = flags["dry-run"] === true
    const machine = yield* Machine.make(env)
    yield* refuseLive(machine, name, "deleted")
    const remove = Effect.gen(function* () {
      const stored = yield* Removal.look(machine)
      const pod = stored.pods.find((candidate) => candidate.name === name)
      if (pod === undefined) return yield* Machine.unknownPod(machine, name)
      if (dry) return yield* Removal.plan(machine, stored, name)
      const sessionId = "error" in pod ? undefined : pod.metadata.active?.session_id
      yield* hold(machine, name, sessionId ?? (yield* Ids.uuid))
      // Once more, now that nobody can change it.
      const plan = yield* Removal.plan(machine, yield* Removal.look(machine), name)
      yield* Effect.uninterruptible(Removal.carryOut(machine, plan))
      return plan
    })
    const plan = yield* Effect.scoped(remove)
    yield* terminal.out(
      flags["json"] === true ? `${JSON.stringify({ ...Removal.toldPlan(plan), dry_run: dry })}\n` : planText(plan, !dry)
    )
    return ExitCode.ok
  })
}
