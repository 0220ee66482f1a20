/**
 * The two views of one segment file: where its lines lie, and which of them are entries of the log.
 *
 * The file only grows. The log leaves out what a mark hides, the marks, and control records. Entry numbers count the
 * log, line numbers count the file; both start at 0.
 */
import type { HiddenRange } from "./Marks.ts"

/** A piece of the file: bytes from ≤ i < to, all of them entries of the log. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/** The log as it was at one moment. It stays readable, whatever is appended or hidden later. */
export interface LogView {
  readonly total: number
  /** Where the entries from ≤ i < to lie, in pieces of about `chunk` bytes (a longer line is a piece by itself). */
  readonly ranges: (from: number, to: number, chunk: number) => ReadonlyArray<ByteRange>
}

export class LogIndex {
  /** Start of each line; line i ends where line i + 1 starts. */
  private starts: Array<number> = []
  /** Line numbers of the log's entries, ascending. Replaced, not edited, when something is hidden. */
  private log: Array<number> = []
  /** What a replay knows to be hidden, ascending and without overlap; lines come in order, so a cursor is enough. */
  private hidden: ReadonlyArray<HiddenRange>
  private cursor = 0
  /** Bytes of committed lines. */
  bytes = 0

  constructor(hidden: ReadonlyArray<HiddenRange> = []) {
    this.hidden = merged(hidden)
  }

  get lines(): number {
    return this.starts.length
  }

  get entries(): number {
    return this.log.length
  }

  /** Counts one more line of `length` bytes, its newline included. True if it is an entry of the log. */
  add(length: number, control: boolean): boolean {
    const line = this.starts.length
    this.starts.push(this.bytes)
    this.bytes += length
    if (control || this.isHidden(line)) return false
    this.log.push(line)
    return true
  }

  /** Where a line begins; the end of the file for the line that would come next. */
  byteOf(line: number): number {
    return this.starts[line] ?? this.bytes
  }

  /** Takes the lines from `line` on out of the log. */
  hideFrom(line: number): void {
    this.log = this.log.slice(0, this.log.findLastIndex((shown) => shown < line) + 1)
  }

  /** Takes over what another index holds, in place. Views that were taken before stay what they are. */
  become(other: LogIndex): void {
    this.starts = other.starts
    this.log = other.log
    this.bytes = other.bytes
    this.hidden = other.hidden
    this.cursor = other.cursor
  }

  private isHidden(line: number): boolean {
    while (this.cursor < this.hidden.length && line >= (this.hidden[this.cursor] as HiddenRange).to) this.cursor += 1
    const range = this.hidden[this.cursor]
    return range !== undefined && line >= range.from
  }

  view(): LogView {
    const { bytes, log, starts } = this
    const total = log.length
    return {
      total,
      ranges: (from, to, chunk) => {
        const ranges: Array<ByteRange> = []
        let start = -1
        let end = -1
        for (let i = Math.max(0, from); i < Math.min(to, total); i++) {
          const line = log[i] as number
          const lineStart = starts[line] as number
          const lineEnd = starts[line + 1] ?? bytes
          if (lineStart === end && lineEnd - start <= chunk) {
            end = lineEnd
            continue
          }
          if (start >= 0) ranges.push({ from: start, to: end })
          start = lineStart
          end = lineEnd
        }
        if (start >= 0) ranges.push({ from: start, to: end })
        return ranges
      }
    }
  }
}

const merged = (ranges: ReadonlyArray<HiddenRange>): ReadonlyArray<HiddenRange> => {
  const out: Array<HiddenRange> = []
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = out.at(-1)
    if (last === undefined || range.from > last.to) out.push(range)
    else if (range.to > last.to) out[out.length - 1] = { ...last, to: range.to }
  }
  return out
}
