/**
 * From ripgrep's JSON to the lines that the model reads: matches with the context that belongs to them.
 *
 * Context travels with the match it belongs to: lines before a match wait until it is known whether the match is on the
 * page. A match over several lines is one result. Of a long line the part around the match is shown.
 */
import * as Base64 from "effect/encoding/Base64"
import type * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Text from "../scope/Text.ts"
import type { Page } from "./SearchPage.ts"
import type { Base } from "./SearchBase.ts"

/** Text, or base64 of bytes that are not UTF-8. */
const Bytes = Schema.Union([Schema.Struct({ text: Schema.String }), Schema.Struct({ bytes: Schema.String })])

const Line = Schema.Struct({
  type: Schema.Literals(["match", "context"]),
  data: Schema.Struct({
    path: Bytes,
    lines: Bytes,
    line_number: Schema.NullOr(Schema.Int),
    submatches: Schema.Array(Schema.Struct({ start: Schema.Int, end: Schema.Int }))
  })
})

/** Comes before all that is found in a file. */
const Begin = Schema.Struct({ type: Schema.Literal("begin"), data: Schema.Struct({ path: Bytes }) })

const decoder =
  <A>(schema: Schema.Codec<A, unknown>) =>
  (record: Uint8Array): Option.Option<A> => {
    try {
      return Schema.decodeUnknownOption(schema)(JSON.parse(Text.decodeLossy(record)))
    } catch {
      return Option.none()
    }
  }

const parse = decoder(Line)
const parseBegin = decoder(Begin)

const openingOfBegin = Text.encode('{"type":"begin"')

const isBegin = (record: Uint8Array): boolean => openingOfBegin.every((byte, index) => record[index] === byte)

const bytesOf = (value: typeof Bytes.Type): Uint8Array =>
  "text" in value ? Text.encode(value.text) : Result.getOrElse(Base64.decode(value.bytes), () => new Uint8Array())

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
  let file = ""
  let shown: string | undefined
  let files = 0
  let fileHasMatch = false
  let waiting: Array<string> = []
  let owed = 0

  const enter = (hit: Uint8Array) => {
    const name = Text.decodeLossy(hit)
    if (name === file) return
    file = name
    shown = base.permitted(hit)
    fileHasMatch = false
    waiting = []
    owed = 0
  }

  const match = (text: string) => {
    if (!fileHasMatch) files++
    fileHasMatch = true
    const lines = [...waiting, text]
    waiting = []
    const isOnPage = page.admit(lines.reduce((sum, line) => sum + line.length + 1, 0))
    if (isOnPage) for (const line of lines) page.add(line)
    owed = isOnPage ? options.after : 0
  }

  return {
    files: () => files,
    before: (record) => {
      const begin = isBegin(record) ? Option.getOrUndefined(parseBegin(record)) : undefined
      return begin === undefined ? undefined : base.look(bytesOf(begin.data.path), "content")
    },
    onRecord: (record, isWhole) => {
      if (!isWhole) {
        // Too long to be read as JSON; that it is a match, and where, is at its beginning.
        const beginning = Text.decodeLossy(record.subarray(0, 8192))
        const path = /^\{"type":"match","data":\{"path":\{"text":("(?:[^"\\]|\\.)*")\}/.exec(beginning)?.[1]
        if (path === undefined) return
        enter(Text.encode(JSON.parse(path) as string))
        if (shown !== undefined) match(`${shown}: [a match in a line that is too long to show]`)
        return
      }
      const line = Option.getOrUndefined(parse(record))
      if (line === undefined) return
      enter(bytesOf(line.data.path))
      if (shown === undefined) return
      const isMatch = line.type === "match"
      const mark = isMatch ? ":" : "-"
      const number = options.hasNumbers && line.data.line_number !== null ? `${mark}${line.data.line_number}` : ""
      const text = clip(trimEnd(bytesOf(line.data.lines)), line.data.submatches[0]?.start ?? 0)
      const rendered = `${shown}${number}${mark}${text}`
      if (isMatch) match(rendered)
      else if (owed > 0) {
        owed--
        page.add(rendered)
      } else if (options.before > 0) {
        // Lines behind a match of another page come here too; the nearest ones are those before the next match.
        waiting = [...waiting.slice(1 - options.before || waiting.length), rendered]
      }
    }
  }
}
