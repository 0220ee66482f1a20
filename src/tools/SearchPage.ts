/**
 * One page of search results, filled while the search runs: what lies before and behind it is only counted.
 *
 * A page holds at most `limit` results from `offset` on and about `maxBytes` bytes, and always one result if there is
 * one at the offset. Nothing is skipped inside a page, so the next offset is the offset plus what was returned.
 */
import * as Text from "../scope/Text.ts"

export interface Page {
  /** Another result: true if it belongs to the page. `bytes` is what its text takes. */
  readonly admit: (bytes: number) => boolean
  /** Text of the page; of results that were admitted, and of context around them. */
  readonly add: (line: string) => void
  readonly maxBytes: number
  /** Bytes that still fit. */
  readonly room: () => number
  readonly returned: () => number
  readonly total: () => number
  readonly content: () => string
}

export const make = (options: { readonly offset: number; readonly limit: number; readonly maxBytes: number }): Page => {
  const lines: Array<string> = []
  let bytes = 0
  let returned = 0
  let total = 0
  let isFull = false
  return {
    admit: (size) => {
      total++
      if (total <= options.offset || isFull) return false
      isFull = returned >= options.limit || (returned > 0 && bytes + size > options.maxBytes)
      if (!isFull) returned++
      return !isFull
    },
    add: (line) => {
      lines.push(line)
      bytes += Text.encode(line).length + 1
    },
    maxBytes: options.maxBytes,
    room: () => options.maxBytes - bytes,
    returned: () => returned,
    total: () => total,
    content: () => lines.join("\n")
  }
}
