/**
 * Reading a small text file that somebody else wrote: bounded, regular files only, UTF-8 or an error.
 *
 * A pipe or a device is refused before it is opened, so nothing here waits for ever.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

/** `NotFound` also when a directory on the way is missing; `Unreadable` for permissions and broken disks. */
export class TextFileError extends Schema.TaggedError<TextFileError>()("TextFileError", {
  path: Schema.String,
  reason: Schema.Literals(["NotFound", "NotAFile", "NotUtf8", "Unreadable"]),
  message: Schema.String
}) {}

export interface TextFile {
  /** At most `maxBytes` bytes of it, cut before a character that does not fit; a byte order mark is dropped. */
  readonly text: string
  /** Bytes of the whole file. */
  readonly size: number
  readonly cut: boolean
  /** Permission bits. */
  readonly mode: number
}

export const readTextFile: (
  path: string,
  maxBytes: number
) => Effect.Effect<TextFile, TextFileError, FileSystem.FileSystem> = Effect.fnUntraced(function* (path, maxBytes) {
  const files = yield* FileSystem.FileSystem
  const info = yield* files.stat(path).pipe(Effect.mapError((error) => platformError(path, error)))
  if (info.type !== "File") {
    return yield* new TextFileError({
      path,
      reason: "NotAFile",
      message: `${path} is not a regular file (${info.type})`
    })
  }
  // One byte more than wanted: a file in /proc has no size to compare with.
  const chunks = yield* files.stream(path, { bytesToRead: maxBytes + 1 }).pipe(
    Stream.runCollect,
    Effect.mapError((error) => platformError(path, error))
  )
  const read = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const cut = read > maxBytes
  const decoder = new TextDecoder("utf-8", { fatal: true })
  const text = yield* Effect.try({
    try: () => {
      let left = maxBytes
      let decoded = ""
      for (const chunk of chunks) {
        const kept = chunk.subarray(0, left)
        left -= kept.length
        decoded += decoder.decode(kept, { stream: true })
      }
      // Finishing the decoder complains about half a character, which is right unless we did the cutting.
      return cut ? decoded : decoded + decoder.decode()
    },
    catch: () => new TextFileError({ path, reason: "NotUtf8", message: `${path} is not UTF-8 text` })
  })
  return { text, size: Math.max(read, Number(info.size)), cut, mode: info.mode & 0o777 }
})

const platformError = (path: string, error: PlatformError): TextFileError =>
  error.reason._tag === "NotFound"
    ? new TextFileError({ path, reason: "NotFound", message: `${path} does not exist` })
    : new TextFileError({ path, reason: "Unreadable", message: `${path} cannot be read: ${error.reason._tag}` })
