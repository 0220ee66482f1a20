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
/** For a terminal to hand over what was typed. */
const typedBefore = "100 millis"

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

  /** Stdin is left alone until there is something to answer. What was typed before the question is no answer to it. */
  const read = Effect.gen(function* () {
    if (isReading) return
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
    yield* Effect.sleep(typedBefore)
    const early = yield* Queue.clear(lines)
    if (early.includes(null)) Queue.offerUnsafe(lines, null)
    yield* Effect.forkScoped(answers)
  }).pipe(Scope.provide(scope))

  /** Said again for a question that came after the end of the input. */
  const end = Effect.sync(() => {
    if (isOver && approvals.isAsking) Queue.offerUnsafe(lines, null)
  })

  return {
    seen: (event) =>
      (event.event === "approval_requested" ? read : Effect.void).pipe(
        Effect.andThen(approvals.seen(event)),
        Effect.andThen(end)
      ),
    replace: ({ pending_approvals = [] }) =>
      (pending_approvals.length > 0 ? read : Effect.void).pipe(
        Effect.andThen(approvals.replace(pending_approvals)),
        Effect.andThen(end)
      )
  }
})
