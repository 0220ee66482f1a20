/**
 * From ripgrep's JSON to the lines that the model reads: matches with the context that belongs to them.
 *
 * Context travels with the match it belongs to: lines before a match wait until it is known whether the match is on the
 * page. A match over several lines is one result. Of a long line the part around the match is shown, and of context as
 * much as fits.
 */
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Text from "../scope/Text.ts"
import * as GrepRecords from "./GrepRecords.ts"
import type { Base } from "./SearchBase.ts"
import type { Page } from "./SearchPage.ts"

/** A longer line is cut to this, and a longer match over several lines, in bytes. */
const maxLineBytes = 1000
const maxMatchBytes = 4000

/** Of a cut line this much is shown before the match. */
const leadBytes = 200

const trimEnd = (bytes: Uint8Array): Uint8Array => {
  let end = bytes.length
  if (bytes[end - 1] === 10) end--
  if (bytes[end - 1] === 13) end--
  return bytes.subarray(0, end)
}

const clip = (bytes: Uint8Array, matchAt: number): string => {
  const max = bytes.includes(10) ? maxMatchBytes : maxLineBytes
  if (bytes.length <= max) return Text.decodeLossy(bytes)
  const start = Text.boundaryAfter(bytes, Math.max(0, Math.min(matchAt - leadBytes, bytes.length - max)))
  const end = Text.boundaryBefore(bytes, start + max)
  const before = start > 0 ? `[... ${start} bytes left out] ` : ""
  const after = end < bytes.length ? ` [... ${bytes.length - end} bytes left out]` : ""
  return before + Text.decodeLossy(bytes.subarray(start, end)) + after
}

const leftOut = "[... context left out]"

/** The last lines that come to at most so many bytes. */
const nearest = (lines: ReadonlyArray<string>, maxBytes: number): Array<string> => {
  let bytes = 0
  let first = lines.length
  while (first > 0) {
    bytes += Text.encode(lines[first - 1] as string).length + 1
    if (bytes > maxBytes) break
    first--
  }
  return lines.slice(first)
}

export interface GrepLines {
  readonly before: (record: Uint8Array) => Effect.Effect<void> | undefined
  readonly onRecord: (record: Uint8Array, isWhole: boolean) => void
  /** Files in which something was found. */
  readonly files: () => number
}

export const make = (options: {
  readonly base: Base
  readonly page: Page
  readonly hasNumbers: boolean
  /** Lines of context. */
  readonly before: number
  readonly after: number
}): GrepLines => {
  const { base, page } = options
  let shown: string | undefined
  let files = 0
  let fileHasMatch = false
  let waiting: Array<string> = []
  let owed = 0

  const enter = (file: Uint8Array) => {
    shown = base.permitted(file)
    fileHasMatch = false
    waiting = []
    owed = 0
  }

  const match = (text: string) => {
    if (!fileHasMatch) files++
    fileHasMatch = true
    const bytes = Text.encode(text).length + 1
    const context = nearest(waiting, page.maxBytes / 2 - bytes)
    if (context.length < waiting.length) context.unshift(leftOut)
    waiting = []
    const isOnPage = page.admit(context.reduce((sum, line) => sum + Text.encode(line).length + 1, bytes))
    if (isOnPage) for (const line of [...context, text]) page.add(line)
    owed = isOnPage ? options.after : 0
  }

  const follow = (text: string) => {
    const fits = Text.encode(text).length < page.room()
    page.add(fits ? text : leftOut)
    owed = fits ? owed - 1 : 0
  }

  return {
    files: () => files,
    before: (record) => {
      const file = GrepRecords.fileOf(record)
      return file === undefined ? undefined : base.look(file, "content")
    },
    onRecord: (record, isWhole) => {
      const file = GrepRecords.fileOf(record)
      if (file !== undefined) return enter(file)
      if (shown === undefined) return
      if (!isWhole) {
        // Too long to be read as JSON.
        if (GrepRecords.isMatch(record)) match(`${shown}: [a match in a line that is too long to show]`)
        return
      }
      const line = Option.getOrUndefined(GrepRecords.line(record))
      if (line === undefined) return
      const isMatch = line.type === "match"
      const mark = isMatch ? ":" : "-"
      const number = options.hasNumbers && line.data.line_number !== null ? `${mark}${line.data.line_number}` : ""
      const text = clip(trimEnd(GrepRecords.bytesOf(line.data.lines)), line.data.submatches[0]?.start ?? 0)
      const rendered = `${shown}${number}${mark}${text}`
      if (isMatch) match(rendered)
      else if (owed > 0) follow(rendered)
      else if (options.before > 0) {
        // Lines behind a match of another page come here too; the nearest ones are those before the next match.
        waiting = [...waiting.slice(1 - options.before || waiting.length), rendered]
      }
    }
  }
}
