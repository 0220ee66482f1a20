/**
 * The first lines of a segment that goes on behind another instead of copying it: of a fork, of one that takes the
 * place of a file that somebody else has written to, and of one that a rewind begins.
 */
import { plainJson } from "../protocol/Fields.ts"
import { type BaseRecord, formatVersion } from "../protocol/PodRecord.ts"
import type { Draft } from "./Announce.ts"
import type * as Fold from "./Fold.ts"
import { carry } from "./LiveRuns.ts"

export interface Behind {
  readonly sessionId: string
  readonly base: BaseRecord
  /** Generations that the base holds. */
  readonly turns: number
}

/** The new segment is of another pod: of this one it has what was said, and nothing that waits or goes on. */
export const fork = (state: Readonly<Fold.SessionState>, { base, sessionId, turns }: Behind): ReadonlyArray<Draft> => [
  {
    kind: "segment_start",
    session_id: sessionId,
    system_prompt: state.systemPrompt ?? null,
    config: state.config,
    history: [],
    forked_from: { segment_id: base.segment, at_turn_index: turns }
  },
  ...(state.scope === undefined ? [] : [extension("pod.scope", state.scope)]),
  extension("pod.format", { version: formatVersion }),
  extension("pod.base", base)
]

export interface Carried {
  /** The run that goes on or is paused, if it goes on in the new segment. */
  readonly run: Fold.LiveRun | undefined
  /** What is queued waits for a person. */
  readonly held: boolean
}

/** The same pod goes on in the new segment: what waits and what was acknowledged is said again. */
export const rotation = (
  state: Readonly<Fold.SessionState>,
  behind: Behind,
  { held, run }: Carried
): ReadonlyArray<Draft> => [
  ...fork(state, behind),
  extension("pod.carry", {
    receipts: Array.from(state.receipts.values()),
    inbox: Array.from(state.inbox.values()),
    approvals: Array.from(state.approvals.open.values()),
    allowed: state.approvals.allowed,
    ...(run === undefined ? {} : { run: carry(run) }),
    spent: state.spent,
    held
  })
]

const extension = (domain: string, payload: object): Draft => ({
  kind: "extension",
  domain,
  payload: plainJson(payload)
})
