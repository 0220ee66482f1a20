/**
 * A window of lines out of bytes that come in chunks, for files of any size.
 *
 * Lines end with LF; a CR before it is not part of the text; a newline at the very end starts no further line. Lines
 * are counted from 0. Kept are at most `limit` lines and about `maxBytes` bytes, of each line its beginning, and always
 * at least one line.
 */
import * as Text from "../scope/Text.ts"

export interface Line {
  readonly text: string
  /** Bytes of the line that `text` lacks. */
  readonly cut: number
}

export interface LineWindow {
  readonly push: (chunk: Uint8Array) => void
  /** No further line will be kept. Lines are still counted. */
  readonly isFull: () => boolean
  /** No line has been kept. */
  readonly isEmpty: () => boolean
  readonly finish: () => {
    readonly lines: ReadonlyArray<Line>
    /** Lines that were pushed, kept or not. */
    readonly total: number
    readonly hasCrlf: boolean
    /** Some kept line is not valid UTF-8; its text has U+FFFD there. */
    readonly hasInvalid: boolean
    /** There was no room for the next line, in bytes. */
    readonly isOutOfBytes: boolean
  }
}

const LF = 10
const CR = 13

/** Of a longer line only this much is kept, in bytes. */
export const maxLineBytes = 2000

export const make = (options: {
  readonly offset: number
  readonly limit: number
  readonly maxBytes: number
}): LineWindow => {
  const lines: Array<Line> = []
  // One more than is shown: it tells whether the cut would split a character.
  const line = new Uint8Array(maxLineBytes + 1)
  let kept = 0
  let length = 0
  let last = 0
  let index = 0
  let bytes = 0
  let hasCrlf = false
  let hasInvalid = false
  let isOutOfBytes = false

  const isFull = () => isOutOfBytes || lines.length >= options.limit
  const isWanted = () => index >= options.offset && !isFull()

  const endLine = (isTerminated: boolean) => {
    if (isWanted()) {
      const isCrlf = isTerminated && last === CR
      const visible = isCrlf ? length - 1 : length
      const text = line.subarray(0, visible <= maxLineBytes ? visible : Text.boundaryBefore(line, maxLineBytes))
      // The number, a tab and the newline.
      const size = text.length + 8
      if (lines.length > 0 && bytes + size > options.maxBytes) isOutOfBytes = true
      else {
        bytes += size
        hasCrlf ||= isCrlf
        const strict = Text.decodeStrict(text)
        hasInvalid ||= strict === undefined
        lines.push({ text: strict ?? Text.decodeLossy(text), cut: visible - text.length })
      }
    }
    index++
    kept = 0
    length = 0
    last = 0
  }

  const take = (part: Uint8Array) => {
    if (part.length === 0) return
    if (kept < line.length && isWanted()) {
      const fitting = part.subarray(0, line.length - kept)
      line.set(fitting, kept)
      kept += fitting.length
    }
    length += part.length
    last = part[part.length - 1] as number
  }

  return {
    isFull,
    isEmpty: () => lines.length === 0,
    push: (chunk) => {
      for (let position = 0; position < chunk.length; ) {
        const end = chunk.indexOf(LF, position)
        take(chunk.subarray(position, end < 0 ? chunk.length : end))
        if (end < 0) return
        endLine(true)
        position = end + 1
      }
    },
    finish: () => {
      if (length > 0) endLine(false)
      return { lines, total: index, hasCrlf, hasInvalid, isOutOfBytes }
    }
  }
}

/** A line as tools show it: its number from 1 in six columns, a tab, the text, and what is missing of it. */
export const render = (line: Line, number: number): string =>
  `${String(number).padStart(6)}\t${line.text}${line.cut > 0 ? ` [... ${line.cut} bytes of this line left out]` : ""}\n`
