/**
 * `Read`: a window of lines of one text file, an image, or pages of a PDF document.
 *
 * A file up to 16 MiB is loaded whole, so that its content is known and may be changed later. A larger one is only read
 * as far as the window goes.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { PdfReader } from "../runtime/PdfReader.ts"
import * as ReadFile from "../scope/ReadFile.ts"
import type { ScopedFsShape } from "../scope/ScopedFs.ts"
import * as Text from "../scope/Text.ts"
import { fromScope, invalid } from "./Failure.ts"
import { maxFileBytes } from "./Limits.ts"
import * as LineWindow from "./LineWindow.ts"
import * as MediaFile from "./MediaFile.ts"
import { maxPages } from "./PageRanges.ts"
import { pageAt, sentence } from "./Paging.ts"
import * as Pdf from "./Pdf.ts"
import * as Tool from "./Tool.ts"
import type { Tracker } from "./Tracker.ts"

const defaultLimit = 2000
const chunkBytes = 256 * 1024

/** A line is looked for so far into a file, in bytes. */
const maxScanBytes = 1024 * 1024 * 1024

const Parameters = Schema.Struct({
  file_path: Schema.String.annotate({ description: "Absolute path of the file." }),
  offset: Schema.optionalKey(
    Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
      description: "Lines to skip: 0 starts at the first line, the default."
    })
  ),
  limit: Schema.optionalKey(
    Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)).annotate({
      description: `Lines to return at most, ${defaultLimit} by default.`
    })
  ),
  pages: Schema.optionalKey(
    Schema.String.annotate({
      description: `Pages of a PDF document, such as "3", "1-5" or "2,4-6": counted from 1, at most ${maxPages} in one call.`
    })
  )
})

const description =
  "Reads a text file. Every line comes with its number, counted from 1, and a tab. Long files come in " +
  `windows: the summary says which lines were returned and the offset of the next ones. Of lines over ` +
  `${LineWindow.maxLineBytes} bytes only the beginning is shown. Images (PNG, JPEG, GIF, WebP) are shown ` +
  `whole, if the model can see; so are PDF documents of up to ${maxPages} pages, longer ones by \`pages\`. To a model that ` +
  "cannot see documents their text is shown. A file must be read before it can be changed with Edit or Write."

interface Window {
  readonly result: ReturnType<LineWindow.LineWindow["finish"]>
  readonly size: number
  /** The end of the file was reached, so that the number of lines is known. */
  readonly isCounted: boolean
}

const lineWord = (count: number): string => (count === 1 ? "1 line" : `${count} lines`)

const summarize = (path: string, offset: number, { isCounted, result, size }: Window): string => {
  const { lines, total } = result
  if (lines.length === 0) {
    const nothing =
      total === 0
        ? `${path} is empty (0 lines).`
        : `No line at offset ${offset}: ${path} has ${lineWord(total)} (offsets 0 to ${total - 1}).`
    return `${nothing} ${sentence(pageAt(offset, 0, total, isCounted), "lines")}`
  }
  const paging = pageAt(offset, lines.length, total, isCounted)
  const range = `lines ${offset + 1}-${offset + lines.length}`
  const isWhole = isCounted && lines.length === total
  const cut = lines.filter((line) => line.cut > 0).length
  return [
    `Read ${isWhole ? lineWord(total) : range} from ${path}${isCounted ? "" : `, ${size} bytes in all`}.`,
    sentence(paging, "lines"),
    ...(cut > 0 ? [`${cut === 1 ? "1 long line was" : `${cut} long lines were`} cut.`] : []),
    ...(result.hasCrlf ? ["Lines end with CRLF."] : []),
    ...(result.hasInvalid ? ["Not valid UTF-8: unreadable bytes are shown as U+FFFD."] : [])
  ].join(" ")
}

const refuseBinary = (path: string, bytes: Uint8Array, size: number) =>
  Text.isBinary(bytes)
    ? Effect.fail(
        invalid(`${path} is not a text file (${size} bytes with NUL bytes in them) and cannot be shown as text.`)
      )
    : Effect.void

const noPages = (path: string) =>
  Effect.fail(invalid(`${path} is not a PDF document and has no pages: ask for lines of a text with offset and limit.`))

export const make = (options: {
  readonly fs: ScopedFsShape
  readonly tracker: Tracker
  readonly pdf: PdfReader["Service"]
  readonly contentBytes: number
  /** The model sees images. */
  readonly vision: boolean
  /** The model sees PDF documents. */
  readonly documents: boolean
}): Tool.Tool => {
  const pdf = Pdf.make({ reader: options.pdf, documents: options.documents, contentBytes: options.contentBytes })

  /** What is shown as it is, if the file is of such a type. */
  const show = Effect.fnUntraced(function* (path: string, open: ReadFile.OpenFile, first: Uint8Array) {
    const type = MediaFile.typeOf(first)
    if (type === undefined || type === MediaFile.pdf) return type
    const what = `${path} is ${MediaFile.words(type)} of ${open.size} bytes`
    if (!options.vision)
      return yield* invalid(`${what}, and this model cannot see. Another tool may turn it into text.`)
    if (open.size > MediaFile.maxMediaBytes) {
      return yield* invalid(`${what}. At most ${MediaFile.maxMediaBytes} bytes can be shown: make it smaller first.`)
    }
    return type
  })

  const readWindow = Effect.fnUntraced(function* (
    path: string,
    offset: number,
    limit: number,
    pages: string | undefined,
    known: Tool.ToolCallContext["known"]
  ) {
    const open = yield* Effect.mapError(options.fs.open(path), fromScope)
    const window = LineWindow.make({ offset, limit, maxBytes: options.contentBytes })
    if (open.size <= maxFileBytes) {
      const bytes = yield* Effect.mapError(ReadFile.readAll(path, open, maxFileBytes), fromScope)
      const type = yield* show(path, open, bytes)
      if (type === MediaFile.pdf) {
        const output = yield* pdf({ path, bytes }, pages)
        return { output: { ...output, seen: yield* options.tracker.record(known, open.real, bytes) } }
      }
      if (pages !== undefined) return yield* noPages(path)
      if (type !== undefined) {
        const seen = yield* options.tracker.record(known, open.real, bytes)
        const summary = `Read ${path}: ${MediaFile.words(type)}, ${bytes.length} bytes, shown whole.`
        return { output: { summary, media: [MediaFile.media(path, type, bytes)], seen } }
      }
      yield* refuseBinary(path, bytes, bytes.length)
      const seen = yield* options.tracker.record(known, open.real, bytes)
      window.push(bytes)
      return { result: window.finish(), size: bytes.length, isCounted: true, seen }
    }
    const buffer = new Uint8Array(chunkBytes)
    let isCounted = false
    for (let read = 0, isFirst = true; !window.isFull() && !isCounted; isFirst = false) {
      const length = yield* Effect.mapError(open.read(buffer), (error) =>
        fromScope(ReadFile.failed(path, "read")(error))
      )
      const chunk = buffer.subarray(0, length)
      if (isFirst) {
        const type = yield* show(path, open, chunk)
        if (type === MediaFile.pdf) {
          const whole = yield* Effect.mapError(options.fs.open(path), fromScope)
          const bytes = yield* Effect.mapError(ReadFile.readAll(path, whole, Pdf.maxDocumentBytes), fromScope)
          return { output: yield* pdf({ path, bytes }, pages) }
        }
        if (pages !== undefined) return yield* noPages(path)
        yield* refuseBinary(path, chunk, open.size)
      }
      isCounted = length === 0
      window.push(chunk)
      read += length
      if (read >= maxScanBytes && window.isEmpty()) {
        return yield* invalid(
          `Line ${offset + 1} of ${path} does not begin in its first ${maxScanBytes} bytes, and further it is not looked ` +
            "for: find the place with Grep, or cut the part out with Bash."
        )
      }
      if (read >= maxScanBytes) break
    }
    return { result: window.finish(), size: open.size, isCounted, seen: undefined }
  })

  return Tool.make({
    name: "Read",
    description,
    parameters: Parameters,
    idempotent: true,
    run: Effect.fn("Tool.Read")(function* ({ file_path: path, limit, offset = 0, pages }, { known }) {
      const window = yield* Effect.scoped(readWindow(path, offset, Math.max(1, limit ?? defaultLimit), pages, known))
      if ("output" in window) return window.output
      const seen = window.seen === undefined ? {} : { seen: window.seen }
      const { lines, total } = window.result
      if (lines.length === 0) return { summary: summarize(path, offset, window), ...seen }
      const hasMore = !window.isCounted || offset + lines.length < total
      return {
        summary: summarize(path, offset, window),
        content: lines.map((line, index) => LineWindow.render(line, offset + index + 1)).join(""),
        ...seen,
        ...(hasMore || lines.some((line) => line.cut > 0) ? { truncated: true } : {})
      }
    })
  })
}
