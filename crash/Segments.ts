/**
 * The segments of a session as one past: the one that is written now, and all that it goes on behind or was taken back
 * from. What is written in any of them happened once; what the log shows is the way that leads to the last.
 */
import { readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import type { BaseRecord } from "../src/protocol/PodRecord.ts"
import * as Journal from "./JournalFile.ts"

export interface Past {
  /** The segment that is written now, alone. */
  readonly own: Journal.JournalFile
  /** All lines, oldest segment first; numbers of lines in marks count from the first of them. */
  readonly lines: ReadonlyArray<Journal.Line>
  /** Where the lines of the own segment begin. */
  readonly from: number
  /** What the log does not show of all of them. */
  readonly hidden: ReadonlyArray<Journal.Hidden>
  /** What does not hold of the segments. */
  readonly claims: ReadonlyArray<string>
}

/** What a campaign writes into a journal as somebody else. */
export const foreign = "crash.foreign"

export const baseOf = (lines: ReadonlyArray<Journal.Line>): BaseRecord | undefined =>
  lines.flatMap(({ record }) => (record?.domain === "pod.base" ? [record.payload] : []))[0]

interface Segment {
  readonly lines: ReadonlyArray<Journal.Line>
  readonly base: BaseRecord | undefined
}

const isForeign = ({ entry }: Journal.Line): boolean => entry.kind === "extension" && entry.domain === foreign

/** The number of the line that begins at this byte. */
const lineAt = (lines: ReadonlyArray<Journal.Line>, byte: number): number =>
  byte === 0 ? 0 : lines.findIndex(({ end }) => end === byte) + 1

/**
 * Of the session as it was when the segment at `path` was the one that is written: ids of segments are made of the time.
 * `unnamed` are those that were made and that the pod's metadata never named.
 */
export const read = (path: string | undefined, unnamed: ReadonlySet<string> = new Set()): Past => {
  const own = Journal.read(path === undefined ? new Uint8Array() : readFileSync(path))
  const claims = [...own.unreadable]
  const name = path === undefined ? "" : basename(path, suffix)
  const segments = new Map<string, Segment>()
  for (const other of path === undefined ? [] : namesIn(dirname(path))) {
    if (other >= name || unnamed.has(other)) continue
    const { lines, unreadable } = Journal.read(readFileSync(join(dirname(path as string), `${other}${suffix}`)))
    claims.push(...unreadable.map((claim) => `segment ${other}, ${claim}`))
    segments.set(other, { lines, base: baseOf(lines) })
  }
  segments.set(name, { lines: own.lines, base: baseOf(own.lines) })
  /** Bytes of each segment that others go on behind, or that the session was taken back from. */
  const ends = new Map<string, Array<number>>()
  for (const { base } of segments.values()) {
    for (const { bytes, segment } of base === undefined ? [] : [base, base.rewound ?? base]) {
      if (!segments.has(segment)) claims.push(`segment ${segment}, which others go on behind, is gone`)
      ends.set(segment, [...(ends.get(segment) ?? []), bytes])
    }
  }
  return { own, ...joined(name, segments, ends), claims }
}

const suffix = ".jsonl"

/** The segments of a session's directory, oldest first. */
export const namesIn = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory)
    .filter((file) => file.endsWith(suffix))
    .map((file) => basename(file, suffix))
    .toSorted()

/** A segment that somebody else has written to ends there, if the pod has left it because of that. */
const counted = ({ lines }: Segment, ends: ReadonlyArray<number>): ReadonlyArray<Journal.Line> => {
  const left = ends.map((bytes) => lineAt(lines, bytes)).filter((at) => lines[at] !== undefined && isForeign(lines[at]))
  return left.length === 0 ? lines : lines.slice(0, Math.min(...left))
}

const joined = (
  own: string,
  segments: ReadonlyMap<string, Segment>,
  ends: ReadonlyMap<string, ReadonlyArray<number>>
): Pick<Past, "lines" | "from" | "hidden"> => {
  /** So many lines of each segment lead to the last one. */
  const way = new Map<string, number>([[own, Infinity]])
  for (let base = segments.get(own)?.base; base !== undefined; base = segments.get(base.segment)?.base) {
    way.set(base.segment, lineAt(segments.get(base.segment)?.lines ?? [], base.bytes))
  }
  const lines: Array<Journal.Line> = []
  /** The same, without the marks of what is left out: a rewind may have been undone by going back to before it. */
  const inForce: Array<Journal.Line> = []
  const leftOut: Array<Journal.Hidden> = []
  let from = 0
  for (const [name, segment] of segments) {
    const here = lines.length
    if (name === own) from = here
    const kept = name === own ? segment.lines : counted(segment, ends.get(name) ?? [])
    lines.push(...kept.map((line) => moved(line, here)))
    const shown = here + Math.min(kept.length, way.get(name) ?? 0)
    inForce.push(...lines.slice(here, shown), ...lines.slice(shown).map((line) => ({ ...line, record: undefined })))
    if (shown < lines.length) leftOut.push({ from: shown, to: lines.length, rolledBack: undefined })
  }
  return { lines, from, hidden: [...Journal.hiddenRanges(inForce), ...leftOut] }
}

/** A mark names lines of its own segment; here they stand `by` lines further down. */
const moved = (line: Journal.Line, by: number): Journal.Line => {
  const { record } = line
  if (record?.domain !== "pod.mark") return line
  const mark = record.payload
  const payload =
    mark.op === "undo" ? { ...mark, mark: mark.mark + by } : { ...mark, from: mark.from + by, to: mark.to + by }
  return { ...line, record: { ...record, payload } }
}
