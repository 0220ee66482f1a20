/**
 * What a pod says: the native event model. The seed protocol is a projection of it (`SeedProjection.ts`).
 *
 * An envelope is `{"event", "data"?, "seq"?, "durable"?}`. `seq` is contiguous within an epoch and stands on
 * broadcast events only; `durable` marks the ones that are derived from exactly one journal entry.
 */
import * as Schema from "effect/Schema"
import { Approval, ApprovalAnswer } from "./Approval.ts"
import { AttachResult, PodInspection, VisiblePod } from "./Discovery.ts"
import { Count, defaulted, nullable, omittable } from "./Fields.ts"
import { Greeting } from "./Greeting.ts"
import { InboxItem, InFlight, WaitingOn } from "./Inbox.ts"
import { LoggedItem } from "./Item.ts"
import { LogEntry, Outcome, RunUsage } from "./LogEntry.ts"
import { RewindSummary, RewindTarget } from "./Rewind.ts"
import { Segment } from "./Segment.ts"
import {
  AlertLevel,
  AlertSource,
  CompletionKind,
  ErrorCode,
  ErrorPhase,
  InvokeKind,
  PodStatus,
  RunKind
} from "./Status.ts"
import { SystemItem } from "./SystemItem.ts"
import { Task, TaskCounts } from "./Task.ts"

const numbered = {
  seq: Schema.optionalKey(Count),
  durable: Schema.optionalKey(Schema.Literal(true))
}

const event = <Name extends string, Data extends Schema.Top>(name: Name, data: Data) =>
  Schema.Struct({ event: Schema.tag(name), data, ...numbered })

/** An event without a payload has no `data` key at all: `"data":{}` does not decode on the seed's side. */
const signal = <Name extends string>(name: Name) => Schema.Struct({ event: Schema.tag(name), ...numbered })

const direct = <Name extends string, Data extends Schema.Top>(name: Name, data: Data) =>
  Schema.Struct({ event: Schema.tag(name), data })

export const ReplyError = Schema.Struct({
  code: ErrorCode,
  message: Schema.String,
  hint: Schema.optionalKey(Schema.String)
})
export type ReplyError = typeof ReplyError.Type

/** Said by both protocols in the same words; the optional fields that the seed does not have stay in its lines. */
export const CommonEvent = Schema.Union([
  event("user_message", Schema.Struct({ segments: Schema.Array(Segment), run_id: Schema.optionalKey(Schema.String) })),
  event("system_item", Schema.Struct({ item: SystemItem })),
  event("invoke_start", Schema.Struct({ kind: InvokeKind })),
  event("turn_start", Schema.Struct({ turn: Count })),
  event("turn_end", Schema.Struct({ turn: Count, result: Schema.Literals(["finished", "paused"]) })),
  event("llm_call_start", Schema.Struct({ llm_call: Count, model: Schema.optionalKey(Schema.String) })),
  event("llm_call_end", Schema.Struct({ llm_call: Count })),
  event(
    "llm_retry",
    Schema.Struct({
      llm_call: Count,
      failed_attempt: Count,
      max_attempts: Count,
      wait_ms: Count,
      elapsed_ms: Count,
      status: omittable(Count),
      error: Schema.String
    })
  ),
  event(
    "llm_continuation",
    Schema.Struct({
      llm_call: Count,
      attempt: Count,
      max_attempts: Count,
      reason: Schema.String,
      wait_ms: Schema.optionalKey(Count)
    })
  ),
  event("text_delta", Schema.Struct({ text: Schema.String })),
  event("text_done", Schema.Struct({ text: Schema.String })),
  signal("thinking_start"),
  event("thinking_delta", Schema.Struct({ text: Schema.String })),
  event("thinking_done", Schema.Struct({ text: Schema.String })),
  event("tool_call_start", Schema.Struct({ id: Schema.String, name: Schema.String })),
  event("tool_call_args_delta", Schema.Struct({ id: Schema.String, json: Schema.String })),
  event("tool_call_done", Schema.Struct({ id: Schema.String, name: Schema.String, arguments: Schema.String })),
  /** `duration_ms` is missing only for a call that did not run to its end here. */
  event(
    "tool_result",
    Schema.Struct({
      id: Schema.String,
      summary: Schema.String,
      output: omittable(Schema.String),
      is_error: defaulted(Schema.Boolean, false),
      truncated: Schema.optionalKey(Schema.Boolean),
      output_path: Schema.optionalKey(Schema.String),
      duration_ms: Schema.optionalKey(Count),
      task: Schema.optionalKey(Task)
    })
  ),
  /** `input_tokens` is the whole prompt, cached parts included. Null is what the vendor did not report. */
  event(
    "usage",
    Schema.Struct({
      input_tokens: nullable(Count),
      output_tokens: nullable(Count),
      cache_read_input_tokens: omittable(Count),
      cost_usd: Schema.optionalKey(Schema.Finite)
    })
  ),
  event("segment_rotated", Schema.Struct({ entry: LogEntry })),
  event("rewind_targets", Schema.Struct({ head_entries: Count, targets: Schema.Array(RewindTarget) })),
  event(
    "rewind_applied",
    Schema.Struct({
      entries: Schema.Array(LogEntry),
      input: Schema.Array(Segment),
      summary: RewindSummary
    })
  ),
  event("visible_pods", Schema.Struct({ pods: Schema.Array(VisiblePod) })),
  event("pod_inspection", Schema.Struct({ pod: PodInspection })),
  event("pod_attach_restore", Schema.Struct({ result: AttachResult })),
  event(
    "alert",
    Schema.Struct({
      level: AlertLevel,
      source: AlertSource,
      message: Schema.String,
      timestamp_ms: Schema.Int
    })
  ),
  event(
    "memory_worker",
    Schema.Struct({
      worker: Schema.Literals(["extract", "consolidation"]),
      status: Schema.Literals(["running", "done", "skipped", "failed", "cancelled"]),
      run_id: Schema.String,
      trigger: Schema.String,
      reason: Schema.String,
      message: Schema.String,
      timestamp_ms: Schema.Int
    })
  ),
  signal("compact_start"),
  event("compact_done", Schema.Struct({ new_segment_id: Schema.String })),
  event("compact_failed", Schema.Struct({ error: Schema.String })),
  signal("shutdown")
])
export type CommonEvent = typeof CommonEvent.Type

/** Broadcast to everybody who is attached, with a `seq`. */
export const BroadcastEvent = Schema.Union([
  ...CommonEvent.members,
  event("status", Schema.Struct({ status: PodStatus })),
  event(
    "error",
    Schema.Struct({
      code: ErrorCode,
      message: Schema.String,
      phase: ErrorPhase,
      run_id: Schema.optionalKey(Schema.String),
      hint: Schema.optionalKey(Schema.String)
    })
  ),
  event(
    "run_start",
    Schema.Struct({
      run_id: Schema.String,
      leg: Count,
      kind: RunKind,
      key: Schema.optionalKey(Schema.String),
      supersedes: Schema.optionalKey(Schema.String)
    })
  ),
  event("run_end", Schema.Struct({ run_id: Schema.String, leg: Count, ...Outcome.fields })),
  event("assistant_item", Schema.Struct({ run_id: Schema.String, turn: Count, item: LoggedItem })),
  event("tool_started", Schema.Struct({ run_id: Schema.String, id: Schema.String, name: Schema.String })),
  event("tool_output", Schema.Struct({ id: Schema.String, offset: Count, text: Schema.String })),
  event("approval_requested", Approval),
  event("approval_resolved", ApprovalAnswer),
  event(
    "inbox_changed",
    Schema.Struct({
      op: Schema.Literals(["add", "take", "remove"]),
      item: InboxItem,
      size: Count
    })
  ),
  event(
    "log_repaired",
    Schema.Struct({
      segment_id: Schema.String,
      line: Count,
      byte: Count,
      bytes_dropped: Count,
      saved_to: Schema.String
    })
  )
])
export type BroadcastEvent = typeof BroadcastEvent.Type
export type EventName = BroadcastEvent["event"]

export const Completion = Schema.Struct({ value: Schema.String, is_dir: defaulted(Schema.Boolean, false) })
export type Completion = typeof Completion.Type

export const Completions = direct(
  "completions",
  Schema.Struct({ kind: CompletionKind, entries: Schema.Array(Completion) })
)

/** Written to one connection only; they carry no `seq`. */
export const DirectEvent = Schema.Union([
  direct(
    "welcome",
    Schema.Struct({
      reply_to: Schema.optionalKey(Schema.String),
      protocol: Schema.Int,
      server: Schema.String,
      pod_name: Schema.String,
      epoch: Schema.String,
      seq: Count,
      resumed: Schema.Boolean
    })
  ),
  direct(
    "reply",
    Schema.Union([
      Schema.Struct({ reply_to: Schema.String, ok: Schema.Literal(true), result: Schema.Json }),
      Schema.Struct({ reply_to: Schema.String, ok: Schema.Literal(false), error: ReplyError })
    ])
  ),
  direct(
    "snapshot",
    Schema.Struct({
      entries: Schema.Array(LogEntry),
      greeting: Greeting,
      status: defaulted(PodStatus, "idle"),
      seq: Schema.optionalKey(Count),
      epoch: Schema.optionalKey(Schema.String),
      entries_from: Schema.optionalKey(Count),
      total: Schema.optionalKey(Count),
      in_flight: Schema.optionalKey(Schema.NullOr(InFlight)),
      inbox: Schema.optionalKey(Schema.Array(InboxItem)),
      pending_approvals: Schema.optionalKey(Schema.Array(Approval)),
      waiting_on: Schema.optionalKey(Schema.NullOr(WaitingOn)),
      usage: Schema.optionalKey(RunUsage),
      tasks: Schema.optionalKey(TaskCounts)
    })
  ),
  direct("in_flight", Schema.NullOr(InFlight)),
  direct("lagged", Schema.Struct({ missed_from: Count, resume_seq: Count })),
  Completions
])
export type DirectEvent = typeof DirectEvent.Type

export const Event = Schema.Union([...BroadcastEvent.members, ...DirectEvent.members])
export type Event = typeof Event.Type

/** A broadcast event as it goes out: numbered, and marked if a journal entry stands behind it. */
export type Envelope = BroadcastEvent & { readonly seq: number; readonly durable?: true }
