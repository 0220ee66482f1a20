/**
 * Records of ours in the journal: `extension` entries in a `pod.*` domain.
 *
 * They are in the file and not in the log: snapshots, indexes and counts leave them out (`isControl`).
 * `pod.scope` is the exception, it is the seed's and visible.
 */
import * as Schema from "effect/Schema"
import { Allowance, ApprovalAnswer, ApprovalRecord } from "./Approval.ts"
import { Count } from "./Fields.ts"
import { HookPoint } from "./Hook.ts"
import { InboxMode } from "./Inbox.ts"
import { type Extension, type LogEntry, RunUsage } from "./LogEntry.ts"
import { PodEvent } from "./PodEvent.ts"
import { RewindSummary } from "./Rewind.ts"
import { ScopeRules } from "./ScopeRule.ts"
import { Spending } from "./Spending.ts"
import { Segment } from "./Segment.ts"
import { RunKind } from "./Status.ts"

/** The version of the journal's format. A reader that meets a newer one refuses the file. */
export const formatVersion = 1

/** Everything that is needed to deliver the item after a restart. */
export const InboxRecord = Schema.Struct({
  item_id: Schema.String,
  kind: Schema.Literals(["run", "notify", "pod_event"]),
  mode: InboxMode,
  run_id: Schema.optionalKey(Schema.String),
  key: Schema.optionalKey(Schema.String),
  ts: Schema.Int,
  preview: Schema.String,
  segments: Schema.optionalKey(Schema.Array(Segment)),
  message: Schema.optionalKey(Schema.String),
  event: Schema.optionalKey(PodEvent)
})
export type InboxRecord = typeof InboxRecord.Type

export const Receipt = Schema.Struct({
  key: Schema.String,
  method: Schema.Literals(["run", "notify"]),
  /** SHA-256, in hex, of the canonical JSON of `params` without `key`. */
  digest: Schema.String,
  result: Schema.Record(Schema.String, Schema.Json)
})
export type Receipt = typeof Receipt.Type

/** A run that has not ended for good, restated by a segment that takes the place of another in the middle of it. */
export const CarriedRun = Schema.Struct({
  run_id: Schema.String,
  leg: Count,
  kind: RunKind,
  state: Schema.Literals(["open", "paused"]),
  turns: Count,
  usage: RunUsage,
  attempts: Count,
  cut: Schema.Boolean,
  /** Times that hooks have sent the model back to work. */
  continued: Schema.optionalKey(Count),
  /** What its legs before the current one have spent. */
  spent: Schema.optionalKey(Spending),
  /** When its current leg began, in Unix milliseconds. */
  started_ms: Schema.optionalKey(Count)
})
export type CarriedRun = typeof CarriedRun.Type

/**
 * Hides lines from ≤ i < to of its file, or (`undo`) lifts the mark that stands on line `mark`. `input` is what the
 * user had said where a rewind cut, so that it can be said again in other words.
 */
export const MarkRecord = Schema.Union([
  Schema.Struct({
    op: Schema.tag("rewind"),
    from: Count,
    to: Count,
    input: Schema.optionalKey(Schema.Array(Segment)),
    summary: Schema.optionalKey(RewindSummary)
  }),
  Schema.Struct({
    op: Schema.tag("rollback"),
    from: Count,
    to: Count,
    run_id: Schema.optionalKey(Schema.String),
    leg: Schema.optionalKey(Count),
    outcome: Schema.optionalKey(Schema.Json)
  }),
  Schema.Struct({ op: Schema.tag("undo"), mark: Count, summary: Schema.optionalKey(RewindSummary) })
])
export type MarkRecord = typeof MarkRecord.Type

/**
 * The segment, of the same session, behind whose first `bytes` this one goes on; they hold `entries` entries of its log.
 * `rewound` is where the log ended that this one takes the place of, if it came by a rewind; `input` and `summary` are
 * what was told about that.
 */
export const BaseRecord = Schema.Struct({
  segment: Schema.String,
  entries: Count,
  bytes: Count,
  rewound: Schema.optionalKey(Schema.Struct({ segment: Schema.String, entries: Count, bytes: Count, turns: Count })),
  input: Schema.optionalKey(Schema.Array(Segment)),
  summary: Schema.optionalKey(RewindSummary)
})
export type BaseRecord = typeof BaseRecord.Type

export const PodRecord = Schema.Union([
  Schema.Struct({ domain: Schema.tag("pod.scope"), payload: ScopeRules }),
  Schema.Struct({ domain: Schema.tag("pod.format"), payload: Schema.Struct({ version: Count }) }),
  Schema.Struct({
    domain: Schema.tag("pod.run"),
    payload: Schema.Struct({
      op: Schema.tag("start"),
      run_id: Schema.String,
      leg: Count,
      kind: RunKind,
      key: Schema.optionalKey(Schema.String),
      supersedes: Schema.optionalKey(Schema.String),
      /** Counts the legs that a start of the pod has begun by itself. */
      attempt: Schema.optionalKey(Count),
      /** A `resume` let the inbox flow, and this turn is the first of what flows. */
      released: Schema.optionalKey(Schema.Boolean)
    })
  }),
  Schema.Struct({
    domain: Schema.tag("pod.tool"),
    payload: Schema.Struct({
      op: Schema.tag("started"),
      call_id: Schema.String,
      name: Schema.String,
      run_id: Schema.String
    })
  }),
  Schema.Struct({
    domain: Schema.tag("pod.inbox"),
    payload: Schema.Union([
      Schema.Struct({ op: Schema.tag("add"), item: InboxRecord, front: Schema.optionalKey(Schema.Boolean) }),
      Schema.Struct({ op: Schema.tag("take"), item_id: Schema.String, run_id: Schema.String }),
      Schema.Struct({ op: Schema.tag("remove"), item_id: Schema.String })
    ])
  }),
  Schema.Struct({ domain: Schema.tag("pod.receipt"), payload: Receipt }),
  Schema.Struct({
    domain: Schema.tag("pod.approval"),
    payload: Schema.Union([
      Schema.Struct({ op: Schema.tag("requested"), ...ApprovalRecord.fields }),
      Schema.Struct({ op: Schema.tag("resolved"), ...ApprovalAnswer.fields })
    ])
  }),
  Schema.Struct({
    domain: Schema.tag("pod.hook"),
    payload: Schema.Struct({
      point: HookPoint,
      /** Absent: all that were asked said to go on. */
      hook: Schema.optionalKey(Schema.String),
      /** A word of that point, or `failed`. */
      decision: Schema.String,
      /** With `failed`: why. */
      problem: Schema.optionalKey(Schema.String),
      run_id: Schema.String,
      leg: Count,
      call_id: Schema.optionalKey(Schema.String)
    })
  }),
  Schema.Struct({ domain: Schema.tag("pod.mark"), payload: MarkRecord }),
  Schema.Struct({
    domain: Schema.tag("pod.repair"),
    payload: Schema.Struct({
      op: Schema.tag("cut_tail"),
      segment_id: Schema.String,
      line: Count,
      byte: Count,
      bytes_dropped: Count,
      saved_to: Schema.String
    })
  }),
  Schema.Struct({ domain: Schema.tag("pod.base"), payload: BaseRecord }),
  Schema.Struct({
    domain: Schema.tag("pod.carry"),
    payload: Schema.Struct({
      receipts: Schema.Array(Receipt),
      inbox: Schema.Array(InboxRecord),
      /** Those that wait for an answer. */
      approvals: Schema.Array(ApprovalRecord),
      allowed: Schema.optionalKey(Schema.Array(Allowance)),
      run: Schema.optionalKey(CarriedRun),
      /** What the session has spent in legs that have ended. */
      spent: Schema.optionalKey(Spending),
      /** What is queued waits for a person. */
      held: Schema.optionalKey(Schema.Boolean)
    })
  })
])
export type PodRecord = typeof PodRecord.Type

const controlDomains: ReadonlySet<string> = new Set([
  "pod.format",
  "pod.run",
  "pod.tool",
  "pod.inbox",
  "pod.receipt",
  "pod.approval",
  "pod.hook",
  "pod.mark",
  "pod.repair",
  "pod.base",
  "pod.carry"
])

/** True for what is in the file and not in the log. */
export const isControl = (entry: LogEntry): boolean => entry.kind === "extension" && controlDomains.has(entry.domain)

export const record = (ts: number, body: PodRecord): Extension => ({
  kind: "extension",
  ts,
  domain: body.domain,
  payload: body.payload as Schema.Json
})
