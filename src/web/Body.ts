/** The body of a response as text: bounded, and in the encoding that the sender meant. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { WebError, WebResponse } from "../runtime/WebClient.ts"

export interface Bytes {
  readonly bytes: Uint8Array
  /** There was more. */
  readonly truncated: boolean
}

/** Stops asking when `limit` bytes are there. */
export const read = (body: WebResponse["body"], limit: number): Effect.Effect<Bytes, WebError> =>
  Effect.suspend(() => {
    const bytes = new Uint8Array(limit)
    let length = 0
    let truncated = false
    return Effect.map(
      Stream.runForEachWhile(body, (chunk) =>
        Effect.sync(() => {
          const room = chunk.subarray(0, limit - length)
          bytes.set(room, length)
          length += room.length
          truncated ||= room.length < chunk.length
          return !truncated
        })
      ),
      () => ({ bytes: bytes.subarray(0, length), truncated })
    )
  })

export type Kind = "html" | "text"

/** What may be shown as text. Nothing for a type that is something else. */
export const kindOf = (contentType: string, bytes: Uint8Array): Kind | undefined => {
  const type = (contentType.split(";")[0] as string).trim().toLowerCase()
  if (type === "") return /^\s*<(?:!doctype html|html)\b/i.test(ascii(bytes, 512)) ? "html" : "text"
  if (type === "text/html" || type === "application/xhtml+xml") return "html"
  if (type.startsWith("text/") || /[+/](?:json|xml|yaml|toml|x-ndjson|(?:x-)?javascript|ecmascript|sql)$/.test(type)) {
    return "text"
  }
  return undefined
}

/** Whatever the bytes are, one character each: for looking for what is ASCII in every encoding of the web. */
const ascii = (bytes: Uint8Array, limit: number): string => String.fromCharCode(...bytes.subarray(0, limit))

const byteOrderMark = (bytes: Uint8Array): string | undefined => {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8"
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le"
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be"
  return undefined
}

const fromHeader = (contentType: string): string | undefined =>
  /;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(contentType)?.[1]

const fromMarkup = (bytes: Uint8Array): string | undefined => {
  const start = ascii(bytes, 1024)
  const found =
    /<meta[^>]+charset\s*=\s*["']?([\w-]+)/i.exec(start) ?? /<\?xml[^>]+encoding\s*=\s*["']([\w-]+)/i.exec(start)
  // A tag that could be read as ASCII is not in UTF-16, whatever it says (HTML, "prescan a byte stream").
  return found?.[1]?.toLowerCase().startsWith("utf-16") === true ? "utf-8" : found?.[1]
}

const decoderOf = (label: string | undefined): TextDecoder | undefined => {
  try {
    return label === undefined ? undefined : new TextDecoder(label)
  } catch {
    // An encoding that nobody knows.
    return undefined
  }
}

/** In the order of the HTML standard: byte order mark, header, what the text says of itself; UTF-8 if none does. */
export const decode = ({ bytes, truncated }: Bytes, contentType: string): string => {
  const label = [byteOrderMark(bytes), fromHeader(contentType), fromMarkup(bytes)].find(
    (one) => decoderOf(one) !== undefined
  )
  // A character that the limit cut in two is left out.
  return (decoderOf(label) ?? new TextDecoder()).decode(bytes, { stream: truncated })
}
