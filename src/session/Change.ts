/**
 * Commits that change what the log shows of what was written before: an undone leg, a rewind, and a rewind undone.
 * Nothing is removed: a mark is written, and what it hides stays in the file.
 */
import { plainJson } from "../protocol/Fields.ts"
import type { Outcome } from "../protocol/LogEntry.ts"
import type { BaseRecord, MarkRecord } from "../protocol/PodRecord.ts"
import type { RewindSummary } from "../protocol/Rewind.ts"
import type { Segment } from "../protocol/Segment.ts"
import type { Draft } from "./Announce.ts"
import type { Step } from "./Batch.ts"
import type { Checkpoint } from "./Checkpoint.ts"
import type { Content, Place } from "./Content.ts"
import type { RewindPoint } from "./RewindPoints.ts"

/** A leg that is undone: from the first line of its acceptance to where its mark will stand. */
export interface Rollback {
  readonly _tag: "Rollback"
  /** Where that line stands. */
  readonly segmentId: string | null
  readonly from: number
  readonly checkpoint: Checkpoint
  readonly runId: string
  readonly leg: number
  readonly outcome: Outcome
  /** What closes the leg instead, if the session has moved to another segment meanwhile. */
  readonly otherwise: ReadonlyArray<Step>
}

/** The log goes back to before this point. `input` is what was said there. */
export interface Rewind {
  readonly _tag: "Rewind"
  readonly point: RewindPoint
  readonly input: ReadonlyArray<Segment>
  readonly summary: RewindSummary
}

/** What the last rewind hid is there again. */
export interface Undo {
  readonly _tag: "Undo"
}

export type Change = Rollback | Rewind | Undo

export const mark = (record: MarkRecord): Draft => ({
  kind: "extension",
  domain: "pod.mark",
  payload: plainJson(record)
})

/** `to` is the line on which it will stand. */
export const rollbackMark = ({ from, leg, outcome, runId }: Rollback, to: number): Draft =>
  mark({ op: "rollback", from, to, run_id: runId, leg, outcome: plainJson(outcome) })

/**
 * How a rewind, or its undoing, is written: as a mark in this segment, or as a segment behind another one. `point` is
 * where the mark goes back to; what it brings back instead is in the file alone.
 */
export type Plan =
  | { readonly _tag: "Mark"; readonly mark: MarkRecord; readonly point: RewindPoint | undefined }
  | { readonly _tag: "Rotate"; readonly base: BaseRecord; readonly turns: number }

/** `segmentId` is the segment that is written now. Undefined if there is nothing to undo. */
export const plan = (content: Content, segmentId: string, change: Rewind | Undo): Plan | undefined =>
  change._tag === "Rewind" ? planRewind(content, segmentId, change) : planUndo(content)

const planRewind = (content: Content, segmentId: string, { input, point, summary }: Rewind): Plan => {
  const { index, state } = content
  if (point.segmentId === segmentId) {
    return { _tag: "Mark", mark: { op: "rewind", from: point.cut.line, to: index.lines, input, summary }, point }
  }
  const rewound = { ...hereAndNow(content, segmentId), turns: state.turnCount }
  const to = { segment: point.segmentId, entries: point.cut.entry, bytes: point.cut.from }
  const base = { ...content.earliest(to, segmentId), rewound, input, summary }
  return { _tag: "Rotate", base, turns: point.before.turnCount }
}

const planUndo = ({ state: { rewound } }: Content): Plan | undefined => {
  if (rewound === undefined) return undefined
  if (rewound._tag === "Mark") return { _tag: "Mark", mark: { op: "undo", mark: rewound.mark }, point: undefined }
  const { bytes, entries, segment, turns } = rewound
  return { _tag: "Rotate", base: { segment, entries, bytes, summary: nothingGone(entries) }, turns }
}

/** Where the session ends, as a base of what comes next. */
export const hereAndNow = (content: Content, segmentId: string): Place => {
  const { bytes, entries } = content.index
  return content.earliest({ segment: segmentId, entries, bytes }, segmentId)
}

export const nothingGone = (entries: number): RewindSummary => ({
  truncated_to_entries: entries,
  discarded_entries: 0,
  tool_side_effect_warning: false
})

/** Entries are counted as the logs of their segments show them. */
export const summaryOf = (content: Content, segmentId: string, point: RewindPoint): RewindSummary => {
  let discarded = content.index.entries
  if (point.segmentId !== segmentId) {
    for (const { entries, file } of content.base?.segments ?? []) {
      discarded += entries
      if (file.ref.segmentId === point.segmentId) break
    }
  }
  return {
    truncated_to_entries: point.cut.entry,
    discarded_entries: discarded - point.cut.entry,
    tool_side_effect_warning: content.points.hasToolsSince(point)
  }
}

/** The same base, where a segment has got another name. */
export const renamed = (base: BaseRecord, from: string, to: string): BaseRecord => {
  const rename = <A extends { readonly segment: string }>(place: A): A =>
    place.segment === from ? { ...place, segment: to } : place
  return { ...rename(base), ...(base.rewound === undefined ? {} : { rewound: rename(base.rewound) }) }
}

/** What `undo_rewind` goes back to, for a segment that takes the place of this one before anything was said. */
export const stillRewound = (
  { index, state }: Content,
  segmentId: string
): Pick<BaseRecord, "rewound"> | Record<string, never> => {
  const { rewound } = state
  if (rewound === undefined) return {}
  if (rewound._tag === "Segment") {
    const { bytes, entries, segment, turns } = rewound
    return { rewound: { segment, entries, bytes, turns } }
  }
  const bytes = index.byteOf(rewound.mark)
  return { rewound: { segment: segmentId, entries: rewound.entries, bytes, turns: state.turnCount } }
}
