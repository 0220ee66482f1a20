/**
 * The state table: what a pod does about a method in each of its states. Pure, total, and the only place that knows.
 *
 *            run accepted              leg ended
 *     idle ───────────────▶ running ───────────────▶ idle
 *                             │  ▲
 *                       pause │  │ resume
 *                             ▼  │
 *                            paused ── run (supersedes), cancel (abandons) ──▶
 *
 * The controller carries decisions out. A cell is a decision, or a function where the parameters matter.
 */
import type { InboxMode } from "../protocol/Inbox.ts"
import type { Method, MethodName } from "../protocol/Method.ts"
import type { ErrorCode } from "../protocol/Status.ts"

export type Phase = "idle" | "running" | "paused" | "compacting"
export const phases: ReadonlyArray<Phase> = ["idle", "running", "paused", "compacting"]

export interface Situation {
  readonly phase: Phase
  /** The run that goes on or is paused. */
  readonly runId: string | undefined
  /** The inbox has items that wait for the next `run` or `resume`. */
  readonly held: boolean
}

export type Decision =
  /** Begin a run with this input; a paused run is superseded. */
  | { readonly _tag: "Start" }
  /** Put it into the inbox; `wake`: and start a turn for it now. */
  | { readonly _tag: "Keep"; readonly mode: InboxMode; readonly wake: boolean }
  /** Begin the next leg of the paused run. */
  | { readonly _tag: "NextLeg" }
  /** Let the inbox flow again. */
  | { readonly _tag: "Release" }
  | { readonly _tag: "Interrupt"; readonly reason: "cancel" | "pause" }
  /** End the paused run for good. */
  | { readonly _tag: "Abandon" }
  | { readonly _tag: "Stop" }
  /** A read; it changes nothing and is answered at once. */
  | { readonly _tag: "Answer" }
  /** A change of what was said or of what waits, an answer to a question, or a new pod with the same past; it starts no leg. */
  | { readonly _tag: "Edit" }
  /** Accepted, and there is nothing to do. */
  | { readonly _tag: "Nothing" }
  /** Waits, in order, until compaction has ended. */
  | { readonly _tag: "Later" }
  | { readonly _tag: "AbortCompaction" }
  /** Answered by the connection; it does nothing here. */
  | { readonly _tag: "Direct" }
  | { readonly _tag: "Refuse"; readonly code: ErrorCode; readonly message: string; readonly hint?: string }

type Named<Name extends MethodName> = Extract<Method, { readonly method: Name }>
type Cell<Name extends MethodName> = Decision | ((method: Named<Name>, situation: Situation) => Decision)
type Row<Name extends MethodName> = { readonly [P in Phase]: Cell<Name> }
type Table = { readonly [Name in MethodName]: Row<Name> }

const start: Decision = { _tag: "Start" }
const answer: Decision = { _tag: "Answer" }
const edit: Decision = { _tag: "Edit" }
const later: Decision = { _tag: "Later" }
const direct: Decision = { _tag: "Direct" }
const nothing: Decision = { _tag: "Nothing" }
const stop: Decision = { _tag: "Stop" }

const refuse = (code: ErrorCode, message: string, hint?: string): Decision =>
  hint === undefined ? { _tag: "Refuse", code, message } : { _tag: "Refuse", code, message, hint }

const busy = refuse(
  "already_running",
  "the pod is already executing a turn",
  'wait for run_end, or send the run with "delivery": "queue" or "steer"'
)
const busyEdit = refuse(
  "already_running",
  "the pod is already executing a turn; rewind and compact are possible only while it is idle or paused"
)
const busyDiscovery = refuse(
  "already_running",
  "the pod is already executing a turn; pod discovery is possible only while it is idle or paused"
)
const notRunning = refuse("not_running", "the pod is not running")
const notPaused = refuse("not_paused", "the pod is not paused")

/** A method of the protocol whose work this version does not do yet. */
const notYet = (name: MethodName): Decision =>
  refuse("invalid_request", `${name} is not available in this version of effect-pod`, "nothing was changed")

const keep = (mode: InboxMode, wake = false): Decision => ({ _tag: "Keep", mode, wake })

/** `run_id`, where given, must name the run that is meant. */
const ifCurrent =
  (decision: Decision) =>
  (method: Named<"cancel"> | Named<"pause">, { runId }: Situation): Decision => {
    const wanted = method.params?.run_id
    return wanted === undefined || wanted === runId
      ? decision
      : refuse("not_running", `run ${wanted} is not the current run`)
  }

const notify =
  (wake: boolean) =>
  (method: Named<"notify">): Decision =>
    method.params.wake === false ? keep("quiet") : keep("wake", wake)

/** News of scope that went further down is for the next turn; it is no reason to start one. */
const report =
  (wake: boolean) =>
  (method: Named<"pod_event">): Decision =>
    method.params.kind === "scope_sub_delegated" ? keep("quiet") : keep("wake", wake)

const always = <Name extends MethodName>(cell: Cell<Name>): Row<Name> => ({
  idle: cell,
  running: cell,
  paused: cell,
  compacting: cell
})

const table: Table = {
  run: {
    idle: start,
    running: ({ params }) =>
      params.delivery === "queue" || params.delivery === "steer" ? keep(params.delivery) : busy,
    paused: ({ params }) =>
      params.delivery === "queue" || params.delivery === "steer" ? keep(params.delivery) : start,
    compacting: later
  },
  notify: { idle: notify(true), running: notify(false), paused: notify(false), compacting: later },
  pod_event: { idle: report(true), running: report(false), paused: report(false), compacting: later },
  resume: {
    idle: (_, { held }) => (held ? { _tag: "Release" } : notPaused),
    running: busy,
    paused: { _tag: "NextLeg" },
    compacting: later
  },
  cancel: {
    idle: notRunning,
    running: ifCurrent({ _tag: "Interrupt", reason: "cancel" }),
    paused: ifCurrent({ _tag: "Abandon" }),
    compacting: { _tag: "AbortCompaction" }
  },
  pause: {
    idle: notRunning,
    running: ifCurrent({ _tag: "Interrupt", reason: "pause" }),
    paused: ifCurrent(nothing),
    compacting: notRunning
  },
  compact: {
    idle: notYet("compact"),
    running: busyEdit,
    paused: refuse("invalid_request", "cannot compact while the pod is paused; resume it or start a new run first"),
    compacting: refuse("already_running", "the pod is compacting already")
  },
  list_rewind_targets: { idle: answer, running: busyEdit, paused: answer, compacting: answer },
  rewind_to: {
    idle: edit,
    running: busyEdit,
    paused: refuse("invalid_request", "cannot rewind while the pod is paused; resume it or wait until it is idle"),
    compacting: later
  },
  undo_rewind: {
    idle: edit,
    running: busyEdit,
    paused: refuse("invalid_request", "cannot undo a rewind while the pod is paused"),
    compacting: later
  },
  shutdown: always(stop),
  list_completions: always(direct),
  hello: always(direct),
  read_entries: always(direct),
  attach_status: always(direct),
  list_inbox: always(answer),
  remove_inbox: always<"remove_inbox">(edit),
  approve: always<"approve">(edit),
  fork: always<"fork">(edit),
  list_visible_pods: {
    idle: notYet("list_visible_pods"),
    running: busyDiscovery,
    paused: notYet("list_visible_pods"),
    compacting: notYet("list_visible_pods")
  },
  inspect_pod: {
    idle: notYet("inspect_pod"),
    running: busyDiscovery,
    paused: notYet("inspect_pod"),
    compacting: notYet("inspect_pod")
  },
  attach_or_restore_pod: {
    idle: notYet("attach_or_restore_pod"),
    running: busyDiscovery,
    paused: notYet("attach_or_restore_pod"),
    compacting: later
  }
}

/** What no state of the pod would accept; checked before anything is recorded. */
export const validate = (method: Method): Decision | undefined => {
  if (method.method !== "run") return undefined
  const workflow = method.params.input.find((segment) => segment.kind === "workflow_invoke")
  return workflow === undefined
    ? undefined
    : refuse("invalid_request", `workflow /${workflow.slug} is not known to this pod`, "send the text without it")
}

export const decide = (situation: Situation, method: Method): Decision => {
  const cell = table[method.method][situation.phase]
  // The row was chosen by the method's own name, so the cell takes exactly this method.
  return typeof cell === "function"
    ? (cell as (method: Method, situation: Situation) => Decision)(method, situation)
    : cell
}
