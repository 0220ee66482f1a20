/**
 * Bytes of files as text: what is text at all, and where bytes may be cut without splitting a character.
 *
 * A byte order mark is kept as a character: what is read can be written back unchanged.
 */

const encoder = new TextEncoder()

export const encode = (text: string): Uint8Array => encoder.encode(text)

/** The text, or nothing if the bytes are not valid UTF-8. */
export const decodeStrict = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Invalid bytes become U+FFFD. */
export const decodeLossy = (bytes: Uint8Array): string => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)

const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80

/** The largest index up to `at` that does not lie inside a character. In bytes that are not UTF-8 it may be `at` itself. */
export const boundaryBefore = (bytes: Uint8Array, at: number): number => {
  if (at >= bytes.length) return bytes.length
  if (at <= 0) return 0
  let index = at
  while (index > 0 && at - index < 3 && isContinuation(bytes[index])) index--
  return isContinuation(bytes[index]) ? at : index
}

/** The smallest index from `at` on that does not lie inside a character. */
export const boundaryAfter = (bytes: Uint8Array, at: number): number => {
  let index = Math.max(0, at)
  while (index < bytes.length && index - at < 3 && isContinuation(bytes[index])) index++
  return Math.min(index, bytes.length)
}

const sniffed = 8192

/** A NUL byte near the beginning: no text that a tool could show. */
export const isBinary = (bytes: Uint8Array): boolean => bytes.subarray(0, sniffed).includes(0)
