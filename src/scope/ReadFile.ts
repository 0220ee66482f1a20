/**
 * Opens and reads one file at a real path, and makes sure that it was the file that was meant.
 *
 * Only regular files are opened: opening a named pipe would wait for a writer. After the open the path must still
 * lead to the very file that is open, so that a link swapped in between is noticed and not read.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { wrongKind } from "./Refusal.ts"
import { describe } from "./Resolve.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"

export interface OpenFile {
  readonly real: string
  readonly file: FileSystem.File
  readonly info: FileSystem.File.Info
  /** Bytes, as of the open. */
  readonly size: number
}

/** `path` is the name for messages. */
export const failed =
  (path: string, what: string) =>
  (error: PlatformError): ScopeError =>
    error.reason._tag === "NotFound"
      ? notFound(path)
      : scopeError("Failed", path, `${path} could not be ${what}: ${describe(error)}.`)

export const notFound = (path: string): ScopeError => scopeError("NotFound", path, `${path} does not exist.`)

const changed = (path: string): ScopeError =>
  scopeError("Failed", path, `${path} was replaced while it was being opened. Try again.`)

const sameFile = (a: FileSystem.File.Info, b: FileSystem.File.Info): boolean =>
  a.dev === b.dev && a.ino._tag === "Some" && b.ino._tag === "Some" && a.ino.value === b.ino.value

/** `real` is a real path that was found to be readable. */
export const openRegular = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string,
  real: string
): Effect.fn.Return<OpenFile, ScopeError, Scope.Scope> {
  const before = yield* Effect.mapError(fs.stat(real), failed(path, "read"))
  if (before.type !== "File") return yield* wrongKind(path, before.type)
  const file = yield* Effect.mapError(fs.open(real, { flag: "r", noFollow: true }), failed(path, "opened"))
  const info = yield* Effect.mapError(file.stat, failed(path, "read"))
  const now = yield* Effect.mapError(fs.realPath(real), failed(path, "read"))
  if (now !== real || !sameFile(before, info)) return yield* changed(path)
  return { real, file, info, size: ByteSize.toNumberUnsafe(info.size) }
})

export const tooLarge = (path: string, maxBytes: number): ScopeError =>
  scopeError("TooLarge", path, `${path} is larger than ${maxBytes} bytes, the limit for a file that is loaded whole.`)

/** The whole content, or `TooLarge`. Files that grow, or that say nothing of their size, are read to their end. */
export const readAll = Effect.fnUntraced(function* (
  path: string,
  open: OpenFile,
  maxBytes: number
): Effect.fn.Return<Uint8Array, ScopeError> {
  if (open.size > maxBytes) return yield* tooLarge(path, maxBytes)
  let buffer = new Uint8Array(open.size + 1)
  let length = 0
  while (true) {
    const read = yield* Effect.mapError(open.file.read(buffer.subarray(length)), failed(path, "read"))
    length += read
    if (read === 0) return buffer.subarray(0, length)
    if (length > maxBytes) return yield* tooLarge(path, maxBytes)
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(maxBytes + 1, Math.max(buffer.length * 2, 65_536)))
      larger.set(buffer)
      buffer = larger
    }
  }
})
