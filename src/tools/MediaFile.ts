/** Files that are shown as they are, to models that can see: which ones they are, by their first bytes. */
import * as Base64 from "effect/encoding/Base64"
import * as Lexical from "../scope/Lexical.ts"
import type { Media } from "../protocol/Media.ts"

/** The least that a vendor takes for one image is 5 MiB in base64. In bytes of the file. */
export const maxMediaBytes = (5 * 1024 * 1024 * 3) / 4

export const pdf = "application/pdf"

const ascii = (text: string): ReadonlyArray<number> => Array.from(text, (character) => character.charCodeAt(0))

const has = (bytes: Uint8Array, at: number, wanted: ReadonlyArray<number>): boolean =>
  wanted.every((byte, index) => bytes[at + index] === byte)

const kinds: ReadonlyArray<{ readonly type: string; readonly is: (bytes: Uint8Array) => boolean }> = [
  { type: "image/png", is: (bytes) => has(bytes, 0, [0x89, ...ascii("PNG\r\n"), 0x1a, 0x0a]) },
  { type: "image/jpeg", is: (bytes) => has(bytes, 0, [0xff, 0xd8, 0xff]) },
  { type: "image/gif", is: (bytes) => has(bytes, 0, ascii("GIF87a")) || has(bytes, 0, ascii("GIF89a")) },
  { type: "image/webp", is: (bytes) => has(bytes, 0, ascii("RIFF")) && has(bytes, 8, ascii("WEBP")) },
  { type: pdf, is: (bytes) => has(bytes, 0, ascii("%PDF-")) }
]

/** Undefined for what is no such file. */
export const typeOf = (bytes: Uint8Array): string | undefined => kinds.find(({ is }) => is(bytes))?.type

export const words = (type: string): string =>
  type === pdf ? "a PDF document" : `an image (${type.slice("image/".length)})`

export const media = (path: string, type: string, bytes: Uint8Array): Media => ({
  type,
  data: Base64.encode(bytes),
  name: Lexical.name(path)
})
