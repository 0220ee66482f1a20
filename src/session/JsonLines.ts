/**
 * A window of a segment file as lines, each parsed by itself, so that what cannot be read has a place.
 *
 * Line by line is also the quickest: a character outside of Latin-1 doubles what a string takes, and makes it slower to
 * parse. Decoded as one string, the whole window would pay for it.
 */
import { isTooDeep, maxDepth } from "./Depth.ts"

type Problem = "not UTF-8" | "not JSON" | typeof tooDeep

const tooDeep = `nested deeper than ${maxDepth} levels` as const

/** `from`: where the line begins in the window. `bytes`: its length, the newline included. */
export type JsonLine = { readonly from: number; readonly bytes: number } & (
  | { readonly _tag: "Json"; readonly json: unknown }
  | { readonly _tag: "Blank" }
  | { readonly _tag: "Unreadable"; readonly problem: Problem }
)

const newline = 0x0a

/** The lines that end in the window, in order. What stands behind the last newline is none of them. */
export const jsonLines = function* (window: Uint8Array): Generator<JsonLine, void> {
  const utf8 = new TextDecoder("utf-8", { fatal: true })
  let from = 0
  for (let end = window.indexOf(newline); end >= 0; end = window.indexOf(newline, from)) {
    yield read(utf8, window.subarray(from, end), from)
    from = end + 1
  }
}

const read = (utf8: TextDecoder, line: Uint8Array, from: number): JsonLine => {
  const bytes = line.length + 1
  let text: string
  try {
    text = utf8.decode(line)
  } catch {
    return { _tag: "Unreadable", from, bytes, problem: "not UTF-8" }
  }
  try {
    const json: unknown = JSON.parse(text)
    if (isTooDeep(json, bytes)) return { _tag: "Unreadable", from, bytes, problem: tooDeep }
    return { _tag: "Json", from, bytes, json }
  } catch {
    return text.trim() === ""
      ? { _tag: "Blank", from, bytes }
      : { _tag: "Unreadable", from, bytes, problem: "not JSON" }
  }
}
