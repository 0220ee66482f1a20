/**
 * The places that a session can be taken back to: every input of a user that the log still shows, in this segment and
 * in those before it.
 *
 * Kept up to date with the log, entry by entry, so that a list of them reads no file.
 */
import type { LogEntry } from "../protocol/LogEntry.ts"
import type { RewindTarget } from "../protocol/Rewind.ts"
import { preview } from "../protocol/Segment.ts"
import { type Checkpoint, checkpoint } from "./Checkpoint.ts"
import type { SessionState } from "./Fold.ts"

/** Where an entry stands: its number in the log, its line in the file, and that line's bytes `from` ≤ i < `to`. */
export interface EntryPlace {
  readonly entry: number
  readonly line: number
  readonly from: number
  readonly to: number
}

export interface RewindPoint {
  readonly segmentId: string
  readonly input: EntryPlace
  /** The first thing that goes: the invoke in front of the input, or the input itself. */
  readonly cut: EntryPlace
  readonly ts: number
  readonly preview: string
  /** Counts the inputs of the segment, from 1. */
  readonly ordinal: number
  /** What was true of the session before the first thing that goes. */
  readonly before: Before
  /** Tool calls and results before it, over all segments. */
  readonly tools: number
  /** It was sent into a turn that was going on: there is no end of a turn to go back to. */
  readonly insideRun: boolean
}

/** What was true of the session before something was said. */
export type Before = Checkpoint & Readonly<Pick<SessionState, "config" | "scope">>

const beforeOf = (state: Readonly<SessionState>): Before => ({
  ...checkpoint(state),
  config: state.config,
  scope: state.scope
})

/** What is true of the session when an entry comes. */
export interface PointContext {
  readonly segmentId: string
  /** A leg is open. */
  readonly insideRun: boolean
  readonly state: Readonly<SessionState>
}

const sideEffects = "what tools have done since then is not undone: tool side effects stay"

export class RewindPoints {
  private points: Array<RewindPoint> = []
  private tools = 0
  private ordinal = 0
  private invoke: { readonly at: EntryPlace; readonly before: Before } | undefined

  apply(entry: LogEntry, at: EntryPlace, context: PointContext): void {
    const invoke = this.invoke
    this.invoke = entry.kind === "invoke" ? { at, before: beforeOf(context.state) } : undefined
    if (entry.kind === "tool_result") this.tools += 1
    if (entry.kind === "assistant_item" && entry.item.kind === "tool_call") this.tools += 1
    if (entry.kind !== "user_input") return
    this.ordinal += 1
    this.points.push({
      segmentId: context.segmentId,
      input: at,
      cut: invoke?.at ?? at,
      ts: entry.ts,
      preview: preview(entry.segments),
      ordinal: this.ordinal,
      before: invoke?.before ?? beforeOf(context.state),
      tools: this.tools,
      insideRun: invoke === undefined && context.insideRun
    })
  }

  /** The segment's lines from `line` on are out of the log. */
  hide(segmentId: string, line: number): void {
    const left = this.points.filter((point) => point.segmentId !== segmentId || point.cut.line < line)
    this.ordinal -= this.points.length - left.length
    this.points = left
    this.invoke = undefined
  }

  /** So many calls and results are left of those that were counted. */
  forgetTools(left: number): void {
    this.tools = left
  }

  /** Takes over what another session's points are, in place. */
  become(other: RewindPoints): void {
    this.points = Array.from(other.points)
    this.tools = other.tools
    this.ordinal = other.ordinal
    this.invoke = other.invoke
  }

  /** What a segment starts with that goes on behind another: its points come before its own. */
  inherit(base: RewindPoints): void {
    this.become(base)
    this.ordinal = 0
    this.invoke = undefined
  }

  find(segmentId: string, entry: number): RewindPoint | undefined {
    return this.points.find((point) => point.segmentId === segmentId && point.input.entry === entry)
  }

  /** Some tool was called behind this point. */
  hasToolsSince(point: RewindPoint): boolean {
    return this.tools > point.tools
  }

  /** Newest first. `head` is the number of entries in the log. */
  list(head: number): ReadonlyArray<RewindTarget> {
    return this.points.toReversed().map((point) => ({
      id: { segment_id: point.segmentId, user_input_entry_index: point.input.entry },
      expected_head_entries: head,
      truncate_entries: point.cut.entry,
      turn_index: point.ordinal,
      timestamp_ms: point.ts,
      preview: point.preview,
      eligible: !point.insideRun,
      ...(point.insideRun
        ? { disabled_reason: "it was sent into a turn that was going on; choose the input that began the turn" }
        : {}),
      ...(this.hasToolsSince(point) ? { warning: sideEffects } : {})
    }))
  }
}
