/**
 * What a session has spent, as its journal tells it. Legs that have ended are in `spent`; the open one is in its run.
 *
 * What was spent stays spent: entries that a mark hides count as well, and so does a leg that was rolled back. A leg's
 * end says what the leg has used in all; until then, the calls that were recorded are what is known.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type LogEntry, noUsage, Outcome, type RunUsage } from "../protocol/LogEntry.ts"
import { addSpending, addUsage, type Spending } from "../protocol/Spending.ts"
import type { SessionState } from "./Fold.ts"

type Spender = Pick<SessionState, "run" | "spent">
type LlmUsage = Extract<LogEntry, { readonly kind: "llm_usage" }>

/** One call of the open leg. */
export const addCall = (state: Spender, entry: LlmUsage): void => {
  if (state.run === undefined) return
  const call: RunUsage = {
    llm_calls: 1,
    input_tokens: entry.input_total_tokens,
    output_tokens: entry.output_tokens,
    cache_read_input_tokens: entry.cache_read_tokens,
    cache_write_input_tokens: entry.cache_write_tokens,
    ...(entry.cost_usd === undefined ? {} : { cost_usd: entry.cost_usd })
  }
  state.run = { ...state.run, usage: addUsage(state.run.usage, call), seenMs: entry.ts }
}

/** The open leg has ended. A crash ends it with the last thing that it did, not when somebody notices. */
export const endLeg = (state: Spender, outcome: Outcome | undefined, ts: number): void => {
  const { run } = state
  const crashed = outcome?.result === "interrupted" || outcome?.by_crash === true
  const open = run?.state === "open" ? run : undefined
  const leg: Spending = {
    usage: outcome?.usage ?? open?.usage ?? noUsage,
    wall_ms: open === undefined ? 0 : Math.max(0, (crashed ? open.seenMs : ts) - open.startedMs)
  }
  state.spent = addSpending(state.spent, leg)
  // Closed, so that nothing is counted twice; what becomes of the run is for the fold to say.
  if (run !== undefined) state.run = { ...run, state: "paused", spent: addSpending(run.spent, leg) }
}

const decodeOutcome = Schema.decodeUnknownOption(Outcome)

/** A leg that was undone has its outcome in its mark. */
export const endUndone = (state: Spender, outcome: unknown, ts: number): void =>
  endLeg(state, Option.getOrUndefined(decodeOutcome(outcome)), ts)

/** An entry that is in the file and not in the log any more. */
export const addHidden = (state: Spender, entry: LogEntry): void => {
  switch (entry.kind) {
    case "llm_usage":
      return addCall(state, entry)
    case "run_completed":
    case "run_errored":
      return endLeg(state, entry.outcome, entry.ts)
    default:
      return
  }
}

/** All of it, the open leg as far as it is recorded. */
export const sessionUsage = ({ run, spent }: Spender): RunUsage =>
  run?.state === "open" ? addUsage(spent.usage, run.usage) : spent.usage
