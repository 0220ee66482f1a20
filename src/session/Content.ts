/**
 * All that is known of the segment that is written now: what its session is, where its entries lie, where one can go
 * back to. Replay and the live journal add entries in the same way, so a restart finds what the pod had.
 *
 * A mutable value with one owner, the journal; everybody else reads it.
 */
import type { LogEntry } from "../protocol/LogEntry.ts"
import { type BaseRecord, isControl } from "../protocol/PodRecord.ts"
import { decodeRecord } from "./DecodeEntry.ts"
import { type Checkpoint, restore } from "./Checkpoint.ts"
import * as Fold from "./Fold.ts"
import { LogIndex } from "./LogIndex.ts"
import type { LogSource } from "./LogReader.ts"
import { type HiddenRange, withMark } from "./Marks.ts"
import { type RewindPoint, RewindPoints } from "./RewindPoints.ts"
import * as Spent from "./Spent.ts"
import type { SegmentFile } from "./SessionStore.ts"

/** All that the next segment has from this one, as it was at one moment. Nothing changes it any more. */
export interface Heritage {
  readonly state: Readonly<Fold.SessionState>
  readonly points: RewindPoints
  /** The segments that are read for it, nearest first. */
  readonly segments: readonly [UnderSegment, ...ReadonlyArray<UnderSegment>]
}

/** What a segment has from the one that it goes on behind. Kept, so that who folds it anew need not read that one. */
export interface Inherited extends Heritage {
  readonly record: BaseRecord
}

/** A segment that another goes on behind. */
export interface UnderSegment {
  readonly file: SegmentFile
  /** So many entries of its log count. */
  readonly entries: number
  /** What it goes on behind itself. */
  readonly record: BaseRecord | undefined
  /** Where the first word of its own begins. */
  readonly saidFrom: number | undefined
}

/** Behind the first `bytes` of a segment, which hold `entries` entries of its log. */
export type Place = Pick<BaseRecord, "segment" | "entries" | "bytes">

/** A place, and the segments that are read to come there, nearest first: so many bytes of each count. */
export interface Past {
  readonly place: Place
  readonly files: ReadonlyArray<{ readonly file: SegmentFile; readonly bytes: number }>
}

export class Content {
  readonly state: Fold.SessionState = Fold.make()
  readonly index: LogIndex
  readonly points = new RewindPoints()
  base: Inherited | undefined
  /** The first entry of the log that does not only begin the segment. */
  private said: { readonly line: number; readonly from: number } | undefined
  /** What hides lines of this segment now. */
  marks: ReadonlyArray<HiddenRange> = []

  /** `hidden` is what a replay knows to be hidden before it comes there. */
  constructor(hidden: ReadonlyArray<HiddenRange> = []) {
    this.index = new LogIndex(hidden)
  }

  /**
   * The next line of the segment, `bytes` long with its newline; a blank one has no entry. `file` is given when the
   * line was read from there: its items are then not kept in memory.
   */
  add(entry: LogEntry | undefined, bytes: number, segmentId: string, file?: SegmentFile): void {
    const line = this.index.lines
    const from = this.index.bytes
    const to = from + bytes
    const control = entry === undefined || isControl(entry)
    const visible = this.index.add(bytes, control)
    if (entry === undefined) return
    if (!(visible || control)) return Spent.addHidden(this.state, entry)
    if (entry.kind === "extension" && entry.domain === "pod.mark") this.mark(entry, line)
    if (visible && this.said === undefined && !begins(entry)) this.said = { line, from }
    if (visible) {
      const context = { segmentId, insideRun: this.state.run?.state === "open", state: this.state }
      this.points.apply(entry, { entry: this.index.entries - 1, line, from, to }, context)
    }
    Fold.apply(this.state, entry, file === undefined ? undefined : { file, from, to })
  }

  /** Takes the lines from `line` on out of the log, and the state back to what it was before them. */
  rollback(line: number, checkpoint: Checkpoint, segmentId: string): void {
    this.index.hideFrom(line)
    if (this.said !== undefined && this.said.line >= line) this.said = undefined
    this.points.hide(segmentId, line)
    restore(this.state, checkpoint)
  }

  /** As if nothing from this place of the segment on had been said; the mark that says so is the next line. */
  rewind({ cut, segmentId, before, tools }: RewindPoint): void {
    this.rollback(cut.line, before, segmentId)
    this.state.config = before.config
    this.state.scope = before.scope
    this.points.forgetTools(tools)
  }

  /** `file` is this segment. */
  heritage(file: SegmentFile): Heritage {
    const own = { file, entries: this.index.entries, record: this.base?.record, saidFrom: this.said?.from }
    const points = new RewindPoints()
    points.become(this.points)
    return { state: Fold.copy(this.state), points, segments: [own, ...(this.base?.segments ?? [])] }
  }

  /** The segment goes on behind another, and has this from it. */
  inherit(record: BaseRecord, from: Heritage): void {
    Fold.inherit(this.state, from.state)
    this.points.inherit(from.points)
    this.base = { ...from, record }
  }

  /** Takes over the whole of another content, in place: whoever holds this one sees the new one. */
  become(other: Content): void {
    Fold.become(this.state, other.state)
    this.index.become(other.index)
    this.points.become(other.points)
    this.base = other.base
    this.said = other.said
    this.marks = other.marks
  }

  /**
   * The same place as far back as it goes: a segment that has said nothing before it is left out, and what that one goes
   * on behind takes its place. So segments that say nothing make no chain longer. `segmentId` is this segment.
   */
  earliest(place: Place, segmentId: string): Place {
    const own = { segmentId, record: this.base?.record, saidFrom: this.said?.from }
    const under = (this.base?.segments ?? []).map(({ file, ...rest }) => ({ segmentId: file.ref.segmentId, ...rest }))
    let { bytes, entries, segment } = place
    for (const { record, saidFrom, segmentId: here } of [own, ...under]) {
      if (here !== segment) continue
      if (record === undefined || (saidFrom !== undefined && saidFrom < bytes)) break
      ;({ bytes, entries, segment } = record)
    }
    return { segment, entries, bytes }
  }

  /** What leads to a place of this session. `file` is this segment. */
  past(place: Place, file: SegmentFile | undefined): Past {
    const earliest = this.earliest(place, file?.ref.segmentId ?? "")
    const own = file === undefined ? [] : [{ file, record: this.base?.record }]
    const files: Array<Past["files"][number]> = []
    let next: Pick<Place, "segment" | "bytes"> | undefined = earliest
    for (const under of [...own, ...(this.base?.segments ?? [])]) {
      if (under.file.ref.segmentId !== next?.segment) continue
      files.push({ file: under.file, bytes: next.bytes })
      next = under.record
    }
    return { place: earliest, files }
  }

  /** The log as it is now. */
  source(file: SegmentFile | undefined): LogSource {
    return { file, view: this.index.view(), inherited: this.base }
  }

  private mark(entry: Extract<LogEntry, { readonly kind: "extension" }>, line: number): void {
    const record = decodeRecord(entry)
    if (record?.domain === "pod.mark") this.marks = withMark(this.marks, record.payload, line)
  }
}

/** The log of every segment has it, whatever is said in it. */
const begins = (entry: LogEntry): boolean =>
  entry.kind === "segment_start" || (entry.kind === "extension" && entry.domain === "pod.scope")
