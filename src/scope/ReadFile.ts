/**
 * Opens and reads one file at a real path, and makes sure that it was the file that was meant.
 *
 * Only regular files are opened. What is open is asked where it is: a link swapped in on the way, and swapped back
 * again, is noticed and nothing of it is read.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import type { Opened, Opener } from "./Opener.ts"
import { wrongKind } from "./Refusal.ts"
import { describe } from "./Resolve.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"

export interface OpenFile extends Omit<Opened, "read"> {
  readonly real: string
  /** Goes on where the last read ended; 0 at the end of the file. */
  readonly read: (buffer: Uint8Array) => Effect.Effect<number, PlatformError | ScopeError>
}

/** What files and directories are looked at and opened with. */
export interface Disk {
  readonly fs: FileSystem.FileSystem
  readonly opener: Opener["Service"]
}

/** `path` is the name for messages. */
export const failed =
  (path: string, what: string) =>
  (error: PlatformError | ScopeError): ScopeError => {
    if (error._tag === "ScopeError") return error
    return error.reason._tag === "NotFound"
      ? notFound(path)
      : scopeError("Failed", path, `${path} could not be ${what}: ${describe(error)}.`)
  }

export const notFound = (path: string): ScopeError => scopeError("NotFound", path, `${path} does not exist.`)

const changed = (path: string): ScopeError =>
  scopeError("Failed", path, `${path} was replaced while it was being opened. Try again.`)

/** What is open is what `real` names, and lies nowhere else. */
export const isAt = Effect.fnUntraced(function* ({ fs }: Disk, opened: Opened, real: string) {
  const place = yield* opened.place
  if (place !== undefined) return place === real
  const now = yield* Effect.option(fs.realPath(real))
  const info = yield* Effect.option(fs.stat(real))
  if (now._tag === "None" || info._tag === "None") return false
  const { dev, ino } = info.value
  return now.value === real && dev === opened.dev && ino._tag === "Some" && ino.value === opened.ino
})

/** `real` is a real path that was found to be readable. */
export const openRegular = Effect.fnUntraced(function* (
  disk: Disk,
  path: string,
  real: string
): Effect.fn.Return<OpenFile, ScopeError, Scope.Scope> {
  // Of some devices the open alone does something.
  const before = yield* Effect.mapError(disk.fs.stat(real), failed(path, "read"))
  if (before.type !== "File") return yield* wrongKind(path, before.type)
  const opened = yield* Effect.mapError(disk.opener.open(real), failed(path, "opened"))
  if (!(yield* isAt(disk, opened, real))) return yield* changed(path)
  return opened.kind === "File" ? { ...opened, real } : yield* wrongKind(path, opened.kind)
})

/** A directory at a real path, held open. */
export const openDirectory = Effect.fnUntraced(function* (
  disk: Disk,
  path: string,
  real: string
): Effect.fn.Return<Opened, ScopeError, Scope.Scope> {
  const before = yield* Effect.mapError(disk.fs.stat(real), failed(path, "read"))
  if (before.type !== "Directory") return yield* notDirectory(path)
  const opened = yield* Effect.mapError(disk.opener.open(real), failed(path, "opened"))
  if (!(yield* isAt(disk, opened, real))) return yield* changed(path)
  return opened.kind === "Directory" ? opened : yield* notDirectory(path)
})

const notDirectory = (path: string): ScopeError => scopeError("NotDirectory", path, `${path} is not a directory.`)

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
    const read = yield* Effect.mapError(open.read(buffer.subarray(length)), failed(path, "read"))
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
