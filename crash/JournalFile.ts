/**
 * A segment file as a stranger reads it: an account of its own, beside the one that the program gives, of what the log
 * is and what waits in the inbox.
 */
import * as Schema from "effect/Schema"
import { messageText } from "../src/protocol/Item.ts"
import { type Extension, LogEntry } from "../src/protocol/LogEntry.ts"
import { type InboxRecord, isControl, PodRecord } from "../src/protocol/PodRecord.ts"
import type { Segment } from "../src/protocol/Segment.ts"

export interface Line {
  readonly entry: LogEntry
  /** The record, if the entry is one of ours. */
  readonly record: PodRecord | undefined
  /** Bytes of the file up to and with this line. */
  readonly end: number
}

export interface JournalFile {
  readonly lines: ReadonlyArray<Line>
  /** Bytes of the last whole batch and everything before it; what stands behind is a write that was cut. */
  readonly whole: number
  /** Nothing does. */
  readonly isWhole: boolean
  /** What cannot be read, each with its line, counted from 1. */
  readonly unreadable: ReadonlyArray<string>
}

const decodeEntry = Schema.decodeUnknownSync(LogEntry, { onExcessProperty: "error" })
const decodeRecord = Schema.decodeUnknownSync(PodRecord, { onExcessProperty: "error" })
const newline = 0x0a

const recordOf = ({ domain, payload }: Extension): PodRecord | undefined =>
  domain.startsWith("pod.") ? decodeRecord({ domain, payload }) : undefined

export const read = (bytes: Uint8Array): JournalFile => {
  const text = new TextDecoder("utf-8", { fatal: true })
  const lines: Array<Line> = []
  const unreadable: Array<string> = []
  let whole = 0
  let count = 0
  let start = 0
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, start)) {
    try {
      const entry = decodeEntry(JSON.parse(text.decode(bytes.subarray(start, at))))
      lines.push({ entry, record: entry.kind === "extension" ? recordOf(entry) : undefined, end: at + 1 })
      if ((entry.more ?? 0) === 0) {
        whole = at + 1
        count = lines.length
      }
    } catch (error) {
      unreadable.push(`line ${lines.length + unreadable.length + 1}: ${error instanceof Error ? error.message : error}`)
    }
    start = at + 1
  }
  return { lines: lines.slice(0, count), whole, isWhole: whole === bytes.length, unreadable }
}

export interface Hidden {
  readonly from: number
  readonly to: number
  /** Undefined for what a rewind hides. */
  readonly rolledBack: string | undefined
}

/** The ranges that the marks in the first `count` lines hide. */
export const hiddenRanges = (lines: ReadonlyArray<Line>, count: number = lines.length): ReadonlyArray<Hidden> => {
  const ranges = new Map<number, Hidden>()
  lines.slice(0, count).forEach(({ record }, at) => {
    if (record?.domain !== "pod.mark") return
    const mark = record.payload
    if (mark.op === "undo") ranges.delete(mark.mark)
    else
      ranges.set(at, {
        from: mark.from,
        to: mark.to,
        rolledBack: mark.op === "rollback" ? (mark.run_id ?? "") : undefined
      })
  })
  return [...ranges.values()]
}

export const isHidden = (ranges: ReadonlyArray<Hidden>, line: number): boolean =>
  ranges.some(({ from, to }) => line >= from && line < to)

/** The log: what the first `count` lines show. */
export const log = (
  lines: ReadonlyArray<Line>,
  count: number = lines.length,
  ranges: ReadonlyArray<Hidden> = hiddenRanges(lines, count)
): ReadonlyArray<LogEntry> => {
  return lines.slice(0, count).flatMap(({ entry }, at) => (isControl(entry) || isHidden(ranges, at) ? [] : [entry]))
}

/** What waits after the first `count` lines, in order. */
export const inbox = (lines: ReadonlyArray<Line>, count: number = lines.length): ReadonlyArray<InboxRecord> => {
  const items: Array<InboxRecord> = []
  for (const { record } of lines.slice(0, count)) {
    // What waited is said again, whole, by the segment that takes the place of another.
    if (record?.domain === "pod.carry") items.splice(0, items.length, ...record.payload.inbox)
    if (record?.domain !== "pod.inbox") continue
    const change = record.payload
    if (change.op !== "add") {
      const at = items.findIndex((item) => item.item_id === change.item_id)
      if (at >= 0) items.splice(at, 1)
    } else if (change.front === true) items.unshift(change.item)
    else items.push(change.item)
  }
  return items
}

/** The inputs that the history of a first line stands for, in their order. */
export const inherited = (first: LogEntry | undefined): ReadonlyArray<number> =>
  first?.kind !== "segment_start"
    ? []
    : first.history.flatMap((item) =>
        item.kind === "message" && item.role !== "assistant" ? (numberIn(messageText(item)) ?? []) : []
      )

/** The number of the input that a text is, as `Told` has numbered it. */
export const numberIn = (text: string): number | undefined => {
  const found = /\binput (\d+);/.exec(text)
  return found === null ? undefined : Number(found[1])
}

const textOf = (segments: ReadonlyArray<Segment>): string =>
  segments.map((segment) => (segment.kind === "text" ? segment.content : "")).join("")

export const numberOfItem = (item: InboxRecord): number | undefined =>
  numberIn(item.segments === undefined ? (item.message ?? "") : textOf(item.segments))

/** The input that an entry delivers to the model. */
export const delivered = (entry: LogEntry): number | undefined => {
  if (entry.kind === "user_input") return numberIn(textOf(entry.segments))
  if (entry.kind === "system_item" && entry.item.kind === "notification") return numberIn(entry.item.message)
  return undefined
}
