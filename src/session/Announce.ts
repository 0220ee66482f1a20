/**
 * From journal entries to the events that announce them: each durable event comes from exactly one entry.
 *
 * A batch may carry events that belong between its entries; they are published in that place. The one departure from
 * the order of the file is old and clients know it: a user's message is announced before the invoke that precedes it.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { BroadcastEvent } from "../protocol/Event.ts"
import type { InboxItem } from "../protocol/Inbox.ts"
import { type LogEntry, Outcome } from "../protocol/LogEntry.ts"
import type { InboxRecord, MarkRecord, PodRecord } from "../protocol/PodRecord.ts"
import type { RewindSummary } from "../protocol/Rewind.ts"
import type { Segment } from "../protocol/Segment.ts"

/** An entry before it is written: the journal puts the time on it. */
export type Draft = LogEntry extends infer E ? (E extends LogEntry ? Omit<E, "ts"> : never) : never

/** An event that goes out with a batch, in its place among the batch's entries. */
export interface Emission {
  readonly emit: BroadcastEvent
}

/** An entry that nobody is told of, because they were told before it could be written. */
export interface Silent {
  readonly silent: Draft
}

/** What must be known beside the entry: the inbox before it. */
export interface InboxView {
  readonly inbox: ReadonlyMap<string, InboxRecord>
}

export const inboxItem = (record: InboxRecord): InboxItem => ({
  item_id: record.item_id,
  kind: record.kind,
  mode: record.mode,
  ...(record.run_id === undefined ? {} : { run_id: record.run_id }),
  ...(record.key === undefined ? {} : { key: record.key }),
  ts: record.ts,
  preview: record.preview
})

/** Given the state *before* the entry is applied. */
export const announce = (entry: LogEntry, before: InboxView): BroadcastEvent | undefined => {
  switch (entry.kind) {
    case "segment_start":
      return { event: "segment_rotated", data: { entry } }
    case "invoke":
      return { event: "invoke_start", data: { kind: entry.trigger } }
    case "user_input":
      return {
        event: "user_message",
        data: { segments: entry.segments, ...(entry.run_id === undefined ? {} : { run_id: entry.run_id }) }
      }
    case "assistant_item":
      return {
        event: "assistant_item",
        data: { run_id: entry.run_id ?? "", turn: entry.turn ?? 0, item: entry.item }
      }
    case "tool_result":
      return {
        event: "tool_result",
        data: {
          id: entry.item.call_id,
          summary: entry.item.summary,
          ...(entry.item.content === undefined ? {} : { output: entry.item.content }),
          is_error: entry.item.is_error ?? false,
          ...(entry.truncated === undefined ? {} : { truncated: entry.truncated }),
          ...(entry.output_path === undefined ? {} : { output_path: entry.output_path }),
          ...(entry.duration_ms === undefined ? {} : { duration_ms: entry.duration_ms }),
          ...(entry.task === undefined ? {} : { task: entry.task })
        }
      }
    case "system_item":
      return { event: "system_item", data: { item: entry.item } }
    case "run_completed":
    case "run_errored":
      return entry.outcome === undefined ? undefined : runEnd(entry.run_id, entry.leg, entry.outcome)
    case "extension":
      return ofRecord({ domain: entry.domain, payload: entry.payload } as PodRecord, before)
    case "turn_end":
    case "llm_usage":
    case "config_changed":
      return undefined
  }
}

const runEnd = (runId: string | undefined, leg: number | undefined, outcome: Outcome): BroadcastEvent => ({
  event: "run_end",
  data: { run_id: runId ?? "", leg: leg ?? 1, ...outcome }
})

const decodeOutcome = Schema.decodeUnknownOption(Outcome)

/** A leg that was undone has its outcome in its mark. */
const undone = ({ leg, outcome, run_id }: Extract<MarkRecord, { readonly op: "rollback" }>) =>
  Option.getOrUndefined(Option.map(decodeOutcome(outcome), (decoded) => runEnd(run_id, leg, decoded)))

/** The entries are read from the file by whoever writes the event: a log is never held in memory for it. */
const rewindApplied = (change: {
  readonly input?: ReadonlyArray<Segment>
  readonly summary?: RewindSummary
}): BroadcastEvent | undefined =>
  change.summary === undefined
    ? undefined
    : { event: "rewind_applied", data: { entries: [], input: change.input ?? [], summary: change.summary } }

/** Only entries that this process has just written come here, so their payloads are well-formed. */
const ofRecord = (record: PodRecord, before: InboxView): BroadcastEvent | undefined => {
  switch (record.domain) {
    case "pod.run": {
      const { key, kind, leg, run_id, supersedes } = record.payload
      return {
        event: "run_start",
        data: {
          run_id,
          leg,
          kind,
          ...(key === undefined ? {} : { key }),
          ...(supersedes === undefined ? {} : { supersedes })
        }
      }
    }
    case "pod.tool":
      return {
        event: "tool_started",
        data: { run_id: record.payload.run_id, id: record.payload.call_id, name: record.payload.name }
      }
    case "pod.inbox": {
      if (record.payload.op === "add") {
        const item = record.payload.item
        const size = before.inbox.size + (before.inbox.has(item.item_id) ? 0 : 1)
        return { event: "inbox_changed", data: { op: "add", item: inboxItem(item), size } }
      }
      const item = before.inbox.get(record.payload.item_id)
      return item === undefined
        ? undefined
        : {
            event: "inbox_changed",
            data: { op: record.payload.op, item: inboxItem(item), size: before.inbox.size - 1 }
          }
    }
    case "pod.approval": {
      if (record.payload.op === "resolved") {
        const { op: _, ...answer } = record.payload
        return { event: "approval_resolved", data: answer }
      }
      const { op: _, subject: __, ...requested } = record.payload
      return { event: "approval_requested", data: requested }
    }
    case "pod.mark":
      return record.payload.op === "rollback" ? undone(record.payload) : rewindApplied(record.payload)
    case "pod.base":
      return rewindApplied(record.payload)
    case "pod.repair": {
      const { op: _, ...place } = record.payload
      return { event: "log_repaired", data: place }
    }
    default:
      return undefined
  }
}
