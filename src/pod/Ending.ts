/**
 * How a leg ended, as it is written down: the outcome, and the entries that close the leg in the journal.
 *
 * The last entry is the leg's terminal record and there is exactly one, also for a leg that a crash has cut.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { LegEnd } from "../agent/Leg.ts"
import type { StopReason } from "../agent/LegContext.ts"
import type { RunFailure } from "../agent/RunFailure.ts"
import { interruptedBeforeResult, interruptedByUser, neverStarted, outcomeUnknown } from "../knowledge/Wrappers.ts"
import type { ApprovalAnswer, PodAnswer } from "../protocol/Approval.ts"
import type { Outcome, RunUsage } from "../protocol/LogEntry.ts"
import type { RunResult } from "../protocol/Status.ts"
import type { Draft } from "../session/Announce.ts"
import type { SessionState } from "../session/Fold.ts"

/** `reason` is why the controller interrupted the leg, if it did; a leg that ended by itself first wins. */
export const outcomeOf = (
  exit: Exit.Exit<LegEnd, RunFailure>,
  reason: StopReason | undefined,
  usage: RunUsage
): Outcome => {
  if (Exit.isSuccess(exit)) {
    switch (exit.value._tag) {
      case "Finished":
        return { result: "finished", usage }
      case "LimitReached":
        return { result: "limit_reached", ...limited(exit.value), usage }
      case "Paused":
        return { result: "paused", by_hook: exit.value.hook, usage }
      case "Refused": {
        const { failure, hook } = exit.value
        const { code, message, phase } = failure
        return { result: "failed", error: { code, message, phase, ...hintOf(failure) }, by_hook: hook, usage }
      }
    }
  }
  const failure = Cause.findErrorOption(exit.cause)
  if (failure._tag === "Some") {
    const { code, message, phase } = failure.value
    return { result: "failed", error: { code, message, phase, ...hintOf(failure.value) }, usage }
  }
  // Without a reason of ours it was not interrupted by us: something in it has interrupted itself.
  if (reason !== undefined && Cause.hasInterruptsOnly(exit.cause)) {
    return { result: reason === "pause" ? "paused" : "cancelled", usage }
  }
  return {
    result: "failed",
    error: {
      code: "internal",
      message: "the turn broke; this is a defect of effect-pod",
      phase: "prepare",
      hint: "the log of the pod has the details"
    },
    usage
  }
}

const hintOf = ({ hint }: RunFailure) => (hint === undefined ? {} : { hint })

/** Neither a failure of ours nor an interrupt of ours: something that nobody has thought of. */
export const isDefect = (exit: Exit.Exit<LegEnd, RunFailure>): exit is Exit.Failure<LegEnd, RunFailure> =>
  Exit.isFailure(exit) && Cause.findErrorOption(exit.cause)._tag === "None"

/** Nothing that it has begun with is to stay, if it has produced nothing. */
export const leavesNothing = (exit: Exit.Exit<LegEnd, RunFailure>, { result }: Outcome): boolean =>
  result === "cancelled" || result === "paused" || (Exit.isSuccess(exit) && exit.value._tag === "Refused")

const limited = ({ hint, limit }: { readonly limit: string; readonly hint?: string }) => ({
  limit,
  ...(hint === undefined ? {} : { hint })
})

/** Results for calls that will never get one, in call order. A call that had started may have had an effect. */
export const closeCalls = (
  state: Readonly<SessionState>,
  cause: "stopped" | "crashed",
  runId: string,
  leg: number
): ReadonlyArray<Draft> =>
  Array.from(
    state.openCalls.values(),
    ({ call, started, turn }): Draft => ({
      kind: "tool_result",
      item: {
        kind: "tool_result",
        call_id: call.call_id,
        summary: !started
          ? cause === "crashed"
            ? neverStarted
            : interruptedByUser
          : cause === "crashed"
            ? outcomeUnknown
            : interruptedBeforeResult,
        is_error: true
      },
      run_id: runId,
      leg,
      ...(turn === undefined ? {} : { turn })
    })
  )

/** What the log of the original says about a run that its user stopped; its readers look for this word. */
const stopped = "Cancelled"

const cut = "Interrupted: the pod ended in the middle of this run"

const message = (outcome: Outcome): string => {
  if (outcome.by_crash === true) return cut
  switch (outcome.result) {
    case "failed":
      return outcome.error?.message ?? "failed"
    case "interrupted":
      return cut
    case "abandoned":
      return "Abandoned: the paused run was cancelled"
    default:
      return stopped
  }
}

export const answered = (answer: ApprovalAnswer): Draft => ({
  kind: "extension",
  domain: "pod.approval",
  payload: { op: "resolved", ...answer }
})

/** Approvals that nobody waits for any more are denied. `by` says what became of the leg that asked. */
export const closeApprovals = ({ approvals }: Readonly<SessionState>, by: PodAnswer): ReadonlyArray<Draft> =>
  Array.from(approvals.open.keys(), (approval_id) => answered({ approval_id, decision: "deny", by }))

const closers: { readonly [Result in RunResult]: PodAnswer } = {
  finished: "the end of the run",
  paused: "pause",
  limit_reached: "limit",
  rolled_back: "cancel",
  cancelled: "cancel",
  failed: "failure",
  interrupted: "restart",
  abandoned: "cancel"
}

export const terminal = (runId: string, leg: number, turnCount: number, outcome: Outcome): ReadonlyArray<Draft> => {
  const ours = { run_id: runId, leg, outcome }
  const { by_hook, result } = outcome
  const end: Draft =
    result === "finished" || result === "limit_reached"
      ? { kind: "run_completed", interrupted: false, result, ...ours }
      : result === "paused" && by_hook !== undefined
        ? { kind: "run_completed", interrupted: true, result, ...ours }
        : { kind: "run_errored", interrupted: true, message: message(outcome), ...ours }
  return [{ kind: "turn_end", turn_count: turnCount, run_id: runId, leg }, end]
}

/** All that closes a leg: its open approvals, answers for its open calls, unless it only pauses, and its end. */
export const closeLeg = (
  state: Readonly<SessionState>,
  runId: string,
  leg: number,
  outcome: Outcome
): ReadonlyArray<Draft> => [
  ...closeApprovals(state, closers[outcome.result]),
  ...(outcome.result === "paused" ? [] : closeCalls(state, "stopped", runId, leg)),
  ...terminal(runId, leg, state.turnCount, outcome)
]
