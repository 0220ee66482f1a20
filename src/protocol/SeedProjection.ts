/**
 * The whole projection of native events to the seed protocol, for one connection.
 *
 * Order is the native order. A line keeps its data, also the fields that the seed does not have; its envelope is the
 * seed's (`seq` and `durable` are left out). A `reply` is not projected: only a client that sent an `id` gets one.
 *
 * Status. A native client sees six words, a seed client three. A native line that moves the pod to another native
 * status is dropped if its word is the one that the client was told last: a manual compaction is `idle` throughout, one
 * inside a run is `running` throughout. A native line that repeats the native status is no such move and is kept, as is
 * the first one after the end of a run: clients wait for the `idle` after a rewind and after a run.
 * `stopping` has no word and leaves the last one as it is; a run that ends in it has its `idle` told before `shutdown`.
 */
import type { BroadcastEvent, DirectEvent } from "./Event.ts"
import type { SeedEvent, SeedEventName } from "./SeedEvent.ts"
import type { ErrorCode, PodStatus, RunResult, SeedErrorCode, SeedRunResult, SeedStatus } from "./Status.ts"

export type Projectable = BroadcastEvent | Exclude<DirectEvent, { readonly event: "reply" }>

type Ruled = "snapshot" | "status" | "error" | "run_end" | "shutdown"

/** What becomes of an event: it is kept, a rule below makes it anew, or the seed has no name for it. */
const events: {
  readonly [Name in Projectable["event"]]: Name extends Ruled
    ? "ruled"
    : Name extends SeedEventName
      ? "kept"
      : "dropped"
} = {
  user_message: "kept",
  system_item: "kept",
  invoke_start: "kept",
  turn_start: "kept",
  turn_end: "kept",
  llm_call_start: "kept",
  llm_call_end: "kept",
  llm_retry: "kept",
  llm_continuation: "kept",
  text_delta: "kept",
  text_done: "kept",
  thinking_start: "kept",
  thinking_delta: "kept",
  thinking_done: "kept",
  tool_call_start: "kept",
  tool_call_args_delta: "kept",
  tool_call_done: "kept",
  tool_result: "kept",
  usage: "kept",
  segment_rotated: "kept",
  completions: "kept",
  rewind_targets: "kept",
  rewind_applied: "kept",
  visible_pods: "kept",
  pod_inspection: "kept",
  pod_attach_restore: "kept",
  alert: "kept",
  memory_worker: "kept",
  compact_start: "kept",
  compact_done: "kept",
  compact_failed: "kept",
  snapshot: "ruled",
  status: "ruled",
  error: "ruled",
  run_end: "ruled",
  shutdown: "ruled",
  run_start: "dropped",
  assistant_item: "dropped",
  tool_started: "dropped",
  tool_output: "dropped",
  approval_requested: "dropped",
  approval_resolved: "dropped",
  inbox_changed: "dropped",
  log_repaired: "dropped",
  welcome: "dropped",
  in_flight: "dropped",
  lagged: "dropped"
}

/** A code of the seed stays what it is. */
const codes: { readonly [Code in ErrorCode]: Code extends SeedErrorCode ? Code : SeedErrorCode } = {
  already_running: "already_running",
  not_running: "not_running",
  not_paused: "not_paused",
  provider_error: "provider_error",
  tool_error: "tool_error",
  invalid_request: "invalid_request",
  internal: "internal",
  conflict: "invalid_request",
  not_found: "invalid_request",
  overloaded: "invalid_request",
  approval_denied: "invalid_request",
  storage_error: "internal",
  lease_lost: "internal",
  provider_overflow: "provider_error"
}

/** How the end of a leg is told: as `run_end`, as an `error` without one, or by the status alone. */
const ends: { readonly [Result in RunResult]: Result extends SeedRunResult ? Result : "as error" | "as status" } = {
  finished: "finished",
  paused: "paused",
  limit_reached: "limit_reached",
  rolled_back: "rolled_back",
  cancelled: "as error",
  failed: "as error",
  interrupted: "as status",
  abandoned: "as status"
}

const words: { readonly [Status in PodStatus]: Status extends SeedStatus ? Status : "by run" | "unchanged" } = {
  idle: "idle",
  running: "running",
  paused: "paused",
  compacting: "by run",
  restoring: "by run",
  stopping: "unchanged"
}

export interface SeedProjection {
  /** The lines of the seed protocol that this event becomes: none, one, or two. */
  readonly project: (event: Projectable) => ReadonlyArray<SeedEvent>
  /**
   * Starts over where a client attaches and returns the word for its snapshot, for a caller that writes the snapshot
   * itself. `inRun`: a leg is open. `project` does the same when it is given a `snapshot`.
   */
  readonly attach: (status: PodStatus, inRun: boolean) => SeedStatus
}

export const make = (): SeedProjection => {
  let native: PodStatus = "idle"
  let told: SeedStatus = "idle"
  let inRun = false
  /** What the pod is in since a run has ended, as long as no status line has said so. */
  let untold: SeedStatus | undefined = undefined

  const wordFor = (status: PodStatus): SeedStatus => {
    const word = words[status]
    return word === "by run" ? (inRun ? "running" : "idle") : word === "unchanged" ? (untold ?? told) : word
  }

  const tell = (word: SeedStatus): SeedEvent => {
    told = word
    untold = undefined
    return { event: "status", data: { status: word } }
  }

  const attach = (status: PodStatus, open: boolean): SeedStatus => {
    native = status
    inRun = open
    untold = undefined
    told = inRun ? "running" : "idle"
    told = wordFor(status)
    return told
  }

  const onStatus = (status: PodStatus): ReadonlyArray<SeedEvent> => {
    if (status === "running") inRun = true
    if (status === "idle" || status === "paused") inRun = false
    const word = wordFor(status)
    const moved = status !== native
    native = status
    return moved && word === told && untold === undefined ? [] : [tell(word)]
  }

  const onRunEnd = (data: Extract<Projectable, { event: "run_end" }>["data"]): ReadonlyArray<SeedEvent> => {
    inRun = false
    untold = data.result === "paused" ? "paused" : "idle"
    const end = ends[data.result]
    switch (end) {
      case "as status":
        return []
      case "as error":
        return [
          {
            event: "error",
            data:
              data.result === "cancelled"
                ? { code: "internal", message: "Cancelled" }
                : { code: codes[data.error?.code ?? "internal"], message: data.error?.message ?? "the run failed" }
          }
        ]
      default:
        return [{ event: "run_end", data: { ...data, result: end } }]
    }
  }

  const project = (event: Projectable): ReadonlyArray<SeedEvent> => {
    switch (event.event) {
      case "snapshot": {
        const { entries, greeting, in_flight, status } = event.data
        const open = (in_flight !== undefined && in_flight !== null) || status === "running"
        return [{ event: "snapshot", data: { entries, greeting, status: attach(status, open) } }]
      }
      case "status":
        return onStatus(event.data.status)
      case "error":
        return [{ event: "error", data: { ...event.data, code: codes[event.data.code] } }]
      case "run_start":
        inRun = true
        if (untold !== undefined) untold = "running"
        return []
      case "run_end":
        return onRunEnd(event.data)
      case "shutdown":
        return untold === undefined ? [{ event: "shutdown" }] : [tell(untold), { event: "shutdown" }]
      default:
        return events[event.event] === "kept" ? [bare(event)] : []
    }
  }

  return { project, attach }
}

/** The event without its number. The table says that it is the seed's; the types cannot follow it there. */
const bare = (event: Projectable): SeedEvent =>
  ("data" in event ? { event: event.event, data: event.data } : { event: event.event }) as SeedEvent
