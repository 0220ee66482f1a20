/**
 * Enough to take a session back to what it was at an earlier line: before a leg that produced nothing, or before an
 * input. What control records say (inbox, receipts, the run, what was spent) stays as it is. A leg that produced nothing
 * changes neither prompt nor config nor scope, and may be the one that opens the segment.
 */
import type { OpenCall, SessionState } from "./Fold.ts"

export interface Checkpoint
  extends Readonly<
    Pick<
      SessionState,
      "turnCount" | "interrupted" | "cutBy" | "lastInputTokens" | "prefix" | "tasks" | "seen" | "commands" | "unasked"
    >
  > {
  readonly historyLength: number
  readonly openCalls: ReadonlyArray<readonly [string, OpenCall]>
}

export const checkpoint = (state: Readonly<SessionState>): Checkpoint => ({
  historyLength: state.history.length,
  openCalls: Array.from(state.openCalls, ([id, open]) => [id, { ...open }] as const),
  turnCount: state.turnCount,
  interrupted: state.interrupted,
  cutBy: state.cutBy,
  lastInputTokens: state.lastInputTokens,
  prefix: state.prefix,
  tasks: state.tasks,
  seen: state.seen,
  commands: state.commands,
  unasked: state.unasked
})

export const restore = (state: SessionState, to: Checkpoint): void => {
  const { historyLength, openCalls, ...values } = to
  Object.assign(state, values)
  state.history.truncate(historyLength)
  state.openCalls.clear()
  for (const [id, open] of openCalls) state.openCalls.set(id, { ...open })
}
