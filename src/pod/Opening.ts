/**
 * The entries that begin a leg. Whatever an earlier run left open is closed first, so that no request ever shows the
 * model a call without its result.
 */
import { interruptNote } from "../knowledge/Wrappers.ts"
import { plainJson } from "../protocol/Fields.ts"
import type { InboxRecord, Receipt } from "../protocol/PodRecord.ts"
import type { Segment } from "../protocol/Segment.ts"
import type { RunKind } from "../protocol/Status.ts"
import type { Emission } from "../session/Announce.ts"
import type { LiveRun, SessionState } from "../session/Fold.ts"
import type { Step } from "../session/Journal.ts"
import { closeCalls } from "./Ending.ts"

export interface NewRun {
  readonly runId: string
  readonly kind: Exclude<RunKind, "resume">
  /** Undefined for a turn that starts by itself: what it is about waits in the inbox. */
  readonly segments: ReadonlyArray<Segment> | undefined
  readonly key: string | undefined
  readonly receipt: Receipt | undefined
  /** The inbox item that this run was until now. */
  readonly from: InboxRecord | undefined
  /** The paused run that this one takes the place of. */
  readonly supersedes: string | undefined
  /** Somebody has let the inbox flow, and it begins with this. */
  readonly released?: boolean
}

/** A turn that nobody asked for: what waits in the inbox is what it is about. */
export const selfStarted = (runId: string, item: InboxRecord, released: boolean): NewRun => ({
  released,
  runId,
  kind: item.kind === "pod_event" ? "pod_event" : "notify",
  segments: undefined,
  key: undefined,
  receipt: undefined,
  from: undefined,
  supersedes: undefined
})

/** The run that an item has waited to be. One that was meant to steer a run which is over gets a name of its own. */
export const queued = (item: InboxRecord): NewRun => ({
  runId: item.mode === "queue" && item.run_id !== undefined ? item.run_id : item.item_id,
  kind: "run",
  segments: item.segments ?? [],
  key: item.key,
  receipt: undefined,
  from: item,
  supersedes: undefined
})

export const running: Emission = { emit: { event: "status", data: { status: "running" } } }

export const openRun = (state: Readonly<SessionState>, run: NewRun): ReadonlyArray<Step> => {
  const ours = { run_id: run.runId, leg: 1 }
  const steps: Array<Step> = [...closeCalls(state, "stopped", run.runId, 1)]
  if (state.interrupted && run.segments !== undefined) {
    steps.push({ kind: "system_item", item: { kind: "interrupt", body: interruptNote(state.cutBy) }, ...ours })
  }
  if (run.from !== undefined) {
    steps.push({
      kind: "extension",
      domain: "pod.inbox",
      payload: { op: "take", item_id: run.from.item_id, run_id: run.runId }
    })
  }
  if (run.segments === undefined) {
    steps.push(running, { kind: "invoke", trigger: run.kind === "pod_event" ? "pod_event" : "notify", ...ours })
  } else {
    steps.push({ kind: "invoke", trigger: "user_send", ...ours })
    const key = run.key === undefined ? {} : { key: run.key }
    steps.push({ kind: "user_input", segments: run.segments, ...key, ...ours }, running)
  }
  steps.push({
    kind: "extension",
    domain: "pod.run",
    payload: {
      op: "start",
      run_id: run.runId,
      leg: 1,
      kind: run.kind,
      ...(run.key === undefined ? {} : { key: run.key }),
      ...(run.supersedes === undefined ? {} : { supersedes: run.supersedes }),
      ...(run.released === true ? { released: true } : {})
    }
  })
  if (run.receipt !== undefined) steps.push(receiptStep(run.receipt))
  return steps
}

export const receiptStep = (receipt: Receipt): Step => ({
  kind: "extension",
  domain: "pod.receipt",
  payload: { ...receipt, result: { ...receipt.result } }
})

/** `attempt`: no person asked for this leg. */
export const openLeg = (runId: string, leg: number, attempt?: number): ReadonlyArray<Step> => [
  {
    kind: "extension",
    domain: "pod.run",
    payload: { op: "start", run_id: runId, leg, kind: "resume", ...(attempt === undefined ? {} : { attempt }) }
  },
  running
]

/** Times that starts of the pod take up one run by themselves. */
export const maxAttempts = 3

/** A crash has cut it, and that was not so often that the run itself may be what brings the pod down. */
export const mayGoOn = (run: LiveRun | undefined): run is LiveRun =>
  run?.state === "paused" && run.cut && run.attempts < maxAttempts

export const removeFromInbox = (itemId: string): Step => ({
  kind: "extension",
  domain: "pod.inbox",
  payload: { op: "remove", item_id: itemId }
})

/** `front`: before everything that waits already, as for an item that is given back. */
export const addToInbox = (item: InboxRecord, front = false): Step => ({
  kind: "extension",
  domain: "pod.inbox",
  payload: plainJson({ op: "add", item, ...(front ? { front } : {}) })
})
