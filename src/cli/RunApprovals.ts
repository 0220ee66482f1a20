/** Approvals in `run`: asked on stderr, answered by a line on stdin. Only where both are terminals. */
import { createInterface } from "node:readline"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { answerKeys, answerOf } from "./ApprovalText.ts"
import { Approvals } from "./Approvals.ts"
import type { Client, PodEvent, Snapshot } from "./Client.ts"
import type { Terminal } from "./Terminal.ts"

export interface RunApprovals {
  readonly seen: (event: PodEvent) => Effect.Effect<void>
  readonly replace: (snapshot: Snapshot) => Effect.Effect<void>
}

/** Lines that were typed and not looked at. */
const bound = 16

/** `show` writes a line to stderr, apart from what was begun there. */
export const make = Effect.fnUntraced(function* (
  terminal: Terminal,
  client: Client,
  show: (text: string) => Effect.Effect<void>
): Effect.fn.Return<RunApprovals, never, Scope.Scope> {
  const approvals = new Approvals(show)
  /** Null is the end of the input. */
  const lines = yield* Queue.sliding<string | null>(bound)
  const scope = yield* Effect.scope
  let isReading = false
  let isOver = false

  /** Whoever could answer has gone, and nobody is to wait for them. */
  const giveUp = Effect.suspend(() =>
    isOver && approvals.isAsking ? approvals.answer(client, "deny", "the terminal was closed") : Effect.void
  )

  const answers = Effect.forever(
    Effect.flatMap(Queue.take(lines), (line) => {
      if (line === null) {
        isOver = true
        return giveUp
      }
      if (!approvals.isAsking || line.trim() === "") return Effect.void
      const decision = answerOf(line)
      return decision === undefined ? show(`  ${answerKeys}`) : approvals.answer(client, decision)
    })
  )

  /** Stdin is left alone until there is something to answer. */
  const read = Effect.gen(function* () {
    if (isReading || !approvals.isAsking) return yield* giveUp
    isReading = true
    yield* Effect.acquireRelease(
      Effect.sync(() => createInterface({ input: terminal.input(), terminal: false })),
      (reader) =>
        Effect.sync(() => {
          reader.close()
          terminal.input().pause()
        })
    ).pipe(
      Effect.map((reader) =>
        reader.on("line", (line) => Queue.offerUnsafe(lines, line)).on("close", () => Queue.offerUnsafe(lines, null))
      )
    )
    yield* Effect.forkScoped(answers)
  }).pipe(Scope.provide(scope))

  return {
    seen: (event) => Effect.andThen(approvals.seen(event), read),
    replace: (snapshot) => Effect.andThen(approvals.replace(snapshot.pending_approvals ?? []), read)
  }
})
