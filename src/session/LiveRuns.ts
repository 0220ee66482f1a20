/** How a run begins in the fold, and how a segment restates one that takes the place of another. */
import { noUsage } from "../protocol/LogEntry.ts"
import type { CarriedRun } from "../protocol/PodRecord.ts"
import { noSpending } from "../protocol/Spending.ts"
import type { LiveRun } from "./Fold.ts"

/** `ts`: Unix milliseconds. */
export const newRun = (ts: number) =>
  ({
    state: "open",
    turns: 0,
    continued: 0,
    usage: noUsage,
    spent: noSpending,
    attempts: 0,
    cut: false,
    startedMs: ts,
    seenMs: ts
  }) as const

export const carried = ({ run_id, spent = noSpending, started_ms, ...run }: CarriedRun, ts: number): LiveRun => ({
  ...newRun(ts),
  ...run,
  runId: run_id,
  spent,
  startedMs: started_ms ?? ts
})

export const carry = (run: LiveRun): CarriedRun => {
  const { runId, seenMs: _, startedMs, ...rest } = run
  return { run_id: runId, ...rest, started_ms: startedMs }
}
