/**
 * Bytes to lines: LF framing, at most `maxBytes` per line, whatever the chunks look like.
 *
 * A line that is too long or is not UTF-8 is an element of its own, in its place; the lines after it are whole.
 * No more than one line of allowed length is ever held, and a chunk is not kept: the caller may use its bytes again.
 * What a line means is `Wire.ts`.
 */

/**
 * * `Text`: without surrounding white space (so CRLF and a byte order mark are fine), never empty.
 * * `TooLong`: told once, as soon as the line has more bytes than allowed; `bytes` is what is allowed. The rest of the
 *   line is dropped as it comes.
 * * `BadUtf8`: a whole line of `bytes` bytes that is not UTF-8.
 */
export type Line =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "TooLong"; readonly bytes: number }
  | { readonly _tag: "BadUtf8"; readonly bytes: number }

export interface LineDecoder {
  /** The lines that this chunk completes, in order. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<Line>
  /** The end of the input: a last line without a newline counts. The decoder is as new afterwards. */
  readonly end: () => ReadonlyArray<Line>
}

/** 16 MiB. */
export const defaultMaxBytes = 16 * 1024 * 1024

const newline = 0x0a

export const make = (options?: { readonly maxBytes?: number }): LineDecoder => {
  const maxBytes = options?.maxBytes ?? defaultMaxBytes
  const utf8 = new TextDecoder("utf-8", { fatal: true })
  const partial = makeBuffer(maxBytes)
  let dropping = false

  const finish = (bytes: Uint8Array, out: Array<Line>): void => {
    let text: string
    try {
      text = utf8.decode(bytes).trim()
    } catch {
      out.push({ _tag: "BadUtf8", bytes: bytes.length })
      return
    }
    if (text !== "") out.push({ _tag: "Text", text })
  }

  const tooLong = (out: Array<Line>): void => {
    out.push({ _tag: "TooLong", bytes: maxBytes })
    partial.clear()
  }

  return {
    push: (chunk) => {
      const out: Array<Line> = []
      let from = 0
      while (from < chunk.length) {
        const found = chunk.indexOf(newline, from)
        const to = found === -1 ? chunk.length : found
        if (!dropping) {
          if (partial.length() + to - from > maxBytes) {
            tooLong(out)
            dropping = true
          } else if (found === -1) {
            partial.append(chunk.subarray(from, to))
          } else if (partial.length() === 0) {
            finish(chunk.subarray(from, to), out)
          } else {
            partial.append(chunk.subarray(from, to))
            finish(partial.bytes(), out)
            partial.clear()
          }
        }
        if (found !== -1) dropping = false
        from = to + 1
      }
      return out
    },
    end: () => {
      const out: Array<Line> = []
      finish(partial.bytes(), out)
      partial.clear()
      dropping = false
      return out
    }
  }
}

/** Kept for the next partial line; anything larger is given back after use. */
const keptCapacity = 64 * 1024

/** Bytes that arrive in pieces, each copied a constant number of times. */
const makeBuffer = (maxBytes: number) => {
  let bytes = new Uint8Array(0)
  let length = 0
  return {
    length: () => length,
    bytes: () => bytes.subarray(0, length),
    append: (piece: Uint8Array) => {
      const needed = length + piece.length
      if (needed > bytes.length) {
        const grown = new Uint8Array(Math.min(maxBytes, Math.max(needed, bytes.length * 2, 256)))
        grown.set(bytes.subarray(0, length))
        bytes = grown
      }
      bytes.set(piece, length)
      length = needed
    },
    clear: () => {
      length = 0
      if (bytes.length > keptCapacity) bytes = new Uint8Array(0)
    }
  }
}
