/**
 * A PDF document for the model: pages to look at, or their text where it cannot see documents.
 *
 * A page that is shown stays in the conversation and in the journal, and costs some thousand tokens in every request. So
 * a long document is answered with its length, and pages are asked for. Text comes as far as it fits, like that of any file.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { PdfError, PdfPageText, PdfReader, PdfTexts } from "../runtime/PdfReader.ts"
import * as Lexical from "../scope/Lexical.ts"
import * as Text from "../scope/Text.ts"
import { failed, invalid } from "./Failure.ts"
import * as MediaFile from "./MediaFile.ts"
import { following, maxPages, parse, range, words } from "./PageRanges.ts"
import { pagesSentence } from "./Paging.ts"
import type { ToolError, ToolOutput } from "./Tool.ts"

/** In bytes. A document is read whole before a page of it can be found. */
export const maxDocumentBytes = 64 * 1024 * 1024

export interface PdfOptions {
  readonly reader: PdfReader["Service"]
  /** The model sees documents. */
  readonly documents: boolean
  /** Bulk of one result in bytes. */
  readonly contentBytes: number
}

/** What is read where nobody has named pages. */
const firstPages = range(1, maxPages)

interface Asked {
  readonly path: string
  readonly bytes: Uint8Array
}

const pageWord = (count: number): string => (count === 1 ? "1 page" : `${count} pages`)

const named = (pages: ReadonlyArray<number>): string => `page${pages.length === 1 ? "" : "s"} ${words(pages)}`

const ofReader =
  (path: string) =>
  ({ message, reason }: PdfError): ToolError =>
    (reason === "Locked" || reason === "Broken" ? invalid : failed)(`${path} cannot be shown: ${message}.`)

const noSuchPage = (path: string, wanted: ReadonlyArray<number>, total: number): ToolError =>
  invalid(`${path} has ${pageWord(total)}: there is no page ${words(wanted)}. Ask for pages from 1 to ${total}.`)

/** What was asked for and is not there. */
const absence = (wanted: ReadonlyArray<number>, total: number): ReadonlyArray<string> => {
  const absent = wanted.filter((page) => page > total)
  return absent.length === 0 ? [] : [`There is no page ${words(absent)}.`]
}

/** What to ask for next: first what was asked for and did not fit, then as many as this time. */
const nextPages = (wanted: ReadonlyArray<number>, returned: number, total: number): string | undefined => {
  const there = wanted.filter((page) => page <= total)
  return returned < there.length ? words(there.slice(returned)) : following(there.at(-1) ?? total, there.length, total)
}

const silent = "(no text on this page)"

const block = ({ page, text }: Pick<PdfPageText, "page" | "text">): string =>
  `[page ${page}]\n${text === "" ? silent : text}\n`

/** The pages that fit, and what is missing of the first if even that is too long. In UTF-8 and between characters. */
const fitting = (pages: ReadonlyArray<PdfPageText>, maxBytes: number) => {
  const blocks: Array<string> = []
  let room = maxBytes
  for (const page of pages) {
    const bytes = Text.encode(block(page))
    if (bytes.length > room && blocks.length > 0) break
    room -= bytes.length
    blocks.push(
      bytes.length > maxBytes ? Text.decodeLossy(bytes.subarray(0, Text.boundaryBefore(bytes, maxBytes))) : block(page)
    )
  }
  const isCut = room < 0 || (pages[0]?.length ?? 0) > (pages[0]?.text.length ?? 0)
  return { blocks, isCut }
}

export const make = ({ contentBytes, documents, reader }: PdfOptions) => {
  const inText = (path: string, wanted: ReadonlyArray<number>, why: string, found: PdfTexts): ToolOutput => {
    const { total } = found
    const { blocks, isCut } = fitting(found.pages, contentBytes)
    const pages = found.pages.slice(0, blocks.length)
    const next = nextPages(wanted, pages.length, total)
    const empty = pages.filter(({ text }) => text === "").map(({ page }) => page)
    const partial = pages.filter(({ whole }) => !whole).map(({ page }) => page)
    const hasText = empty.length < pages.length
    return {
      summary: [
        `Text of ${named(pages.map(({ page }) => page))} of ${path}, a PDF document of ${pageWord(total)}:`,
        `extracted, because ${why}. Pictures and layout are not in it.`,
        pagesSentence(pages.length, total, next),
        ...(wanted === firstPages ? [] : absence(wanted, total)),
        ...(empty.length > 0 ? [`There is no text on ${named(empty)}; a scan has none.`] : []),
        ...(partial.length > 0 ? [`Not all of ${named(partial)} could be read.`] : []),
        ...(isCut ? [`Page ${pages[0]?.page} is too long for one result; its end is left out.`] : [])
      ].join(" "),
      ...(hasText ? { content: blocks.join("\n") } : {}),
      ...(next !== undefined || isCut ? { truncated: true } : {})
    }
  }

  const text = Effect.fnUntraced(function* ({ bytes, path }: Asked, wanted: ReadonlyArray<number>, why: string) {
    const found = yield* Effect.mapError(reader.text(bytes, wanted, contentBytes), ofReader(path))
    return found.pages.length === 0 ? yield* noSuchPage(path, wanted, found.total) : inText(path, wanted, why, found)
  })

  const whole = Effect.fnUntraced(function* (asked: Asked) {
    const { bytes, path } = asked
    const { encrypted, total } = yield* Effect.mapError(reader.look(bytes), ofReader(path))
    if (encrypted) return yield* text(asked, firstPages, locked)
    if (total > maxPages || bytes.length > MediaFile.maxMediaBytes) {
      return {
        summary:
          `${path} is a PDF document of ${pageWord(total)} and ${bytes.length} bytes, too much to be shown at once: ask ` +
          `for a part with \`pages\`, at most ${maxPages} in one call. ${pagesSentence(0, total, following(0, maxPages, total))}`
      }
    }
    return {
      summary: `Read ${path}: a PDF document, ${bytes.length} bytes, shown whole. ${pagesSentence(total, total, undefined)}`,
      media: [MediaFile.media(path, MediaFile.pdf, bytes)]
    }
  })

  const part = Effect.fnUntraced(function* (asked: Asked, wanted: ReadonlyArray<number>) {
    const { bytes, path } = asked
    const found = yield* Effect.mapError(reader.cut(bytes, wanted, MediaFile.maxMediaBytes), ofReader(path))
    const { data, encrypted, pages, total } = found
    const first = wanted.find((page) => page <= total)
    if (first === undefined) return yield* noSuchPage(path, wanted, total)
    if (encrypted) return yield* text(asked, wanted, locked)
    if (pages.length === 0) return yield* text(asked, [first], `page ${first} alone is too large to be shown`)
    const name = Lexical.name(path).replace(/\.pdf$/i, "")
    return {
      summary: [
        `Read ${named(pages)} of ${path}, a PDF document of ${pageWord(total)}.`,
        pagesSentence(pages.length, total, nextPages(wanted, pages.length, total)),
        ...absence(wanted, total)
      ].join(" "),
      media: [{ type: MediaFile.pdf, data, name: `${name} (${named(pages)}).pdf` }]
    }
  })

  /** `pages` as the model gave it. */
  return Effect.fnUntraced(function* (
    asked: Asked,
    given: string | undefined
  ): Effect.fn.Return<ToolOutput, ToolError> {
    if (given === undefined) return yield* documents ? whole(asked) : text(asked, firstPages, blind)
    const wanted = parse(given)
    if (Result.isFailure(wanted)) return yield* invalid(wanted.failure)
    return yield* documents ? part(asked, wanted.success) : text(asked, wanted.success, blind)
  })
}

const blind = "this model cannot see documents"
const locked = "vendors take no encrypted document"
