/**
 * A leg's end that cannot be written. Whatever the leg was on its way to, it has failed now: clients are told so, and
 * the same is owed to the journal.
 */
import * as Effect from "effect/Effect"
import type { LegProgress } from "../agent/LegContext.ts"
import type { LogEntry, Outcome } from "../protocol/LogEntry.ts"
import { announce } from "../session/Announce.ts"
import type { Journal } from "../session/Journal.ts"
import type { StorageError } from "../session/StorageError.ts"
import { closeApprovals, closeCalls, terminal } from "./Ending.ts"
import type { Ledger } from "./Ledger.ts"

export const owing = Effect.fnUntraced(function* (
  journal: Journal,
  ledger: Ledger,
  { leg, runId, usage }: LegProgress,
  error: StorageError
) {
  const { state } = journal
  const outcome: Outcome = {
    result: "failed",
    error: { code: "storage_error", message: error.message, phase: "store" },
    usage
  }
  const answers = [...closeApprovals(state, "failure"), ...closeCalls(state, "stopped", runId, leg)]
  ledger.owe([...answers, ...terminal(runId, leg, state.turnCount, outcome)])
  const told = answers.flatMap((draft) => announce({ ...draft, ts: 0 } as LogEntry, state) ?? [])
  yield* journal.emit(
    ...told,
    { event: "run_end", data: { run_id: runId, leg, ...outcome } },
    { event: "status", data: { status: "idle" } }
  )
  // What the pod waits for is said after this, and must not be said before it.
  yield* Effect.ignore(journal.commit([], false))
})
