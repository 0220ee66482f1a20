/**
 * Replaces lines of a segment file, for a repair: the only rewriting of a segment that there is.
 *
 * The new file is written beside the old one, synced and renamed over it, so that a reader finds the one or the other.
 * The old one stays under another name, byte for byte, and each replaced line is in a file of its own. All of it is on
 * the disk before this returns. The lease of the segment's session is held by the caller.
 */
import * as Fs from "node:fs"
import * as FsPromises from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../src/session/StorageError.ts"
import { cannotLink, temporaryOf } from "./AtomicFile.ts"
import { removeFile, syncDirectory } from "./Directory.ts"
import { type OpenFile, openFile } from "./OpenFile.ts"
import { systemCode, systemError } from "./SystemError.ts"
import { copyRange, freshFile } from "./TornTail.ts"

export interface Replacement {
  /** From 0. */
  readonly line: number
  /** Where the line begins, and its length without the newline. */
  readonly byte: number
  readonly bytes: number
  /** What stands in its place, made when it is known where the line is kept. Without a newline. */
  readonly text: (savedTo: string) => string
}

export interface Mended {
  /** Where each line is kept now, in their order. */
  readonly savedTo: ReadonlyArray<string>
  /** The file as it was. */
  readonly original: string
}

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = Fs.constants
const mostNames = 1_000

/** `replacements` are in the order of the lines. Not interruptible half-way; cut off, it leaves the old file. */
export const mend = (path: string, replacements: ReadonlyArray<Replacement>): Effect.Effect<Mended, StorageError> => {
  const temporary = temporaryOf(path)
  return Effect.gen(function* () {
    const savedTo = yield* Effect.scoped(write(path, temporary, replacements))
    // Its other names, in the sessions of forks, lead to it still.
    const original = yield* keepName(path, 0)
    yield* Effect.tryPromise({ try: () => FsPromises.rename(temporary, path), catch: systemError("repair", path) })
    yield* syncDirectory(Path.dirname(path))
    return { savedTo, original }
  }).pipe(Effect.ensuring(Effect.ignore(removeFile(temporary))), Effect.uninterruptible)
}

const write = Effect.fnUntraced(function* (path: string, temporary: string, replacements: ReadonlyArray<Replacement>) {
  const source = yield* openFile(path, O_RDONLY, systemError("open", path, { ENOENT: "NotFound" }))
  const flags = O_RDWR | O_APPEND | O_CREAT | O_EXCL
  const target = yield* openFile(temporary, flags, systemError("create", temporary))
  const savedTo: Array<string> = []
  let at = 0
  for (const { byte, bytes, line, text } of replacements) {
    yield* copyRange(source, at, byte, target)
    at = byte + bytes
    const side = yield* Effect.scoped(keepLine(path.replace(/\.jsonl$/, `.bad-${line + 1}`), source, byte, at))
    savedTo.push(side)
    yield* target.append(new TextEncoder().encode(text(side)), false)
  }
  const { size } = yield* source.stat
  yield* copyRange(source, at, size, target)
  yield* target.sync
  return savedTo
})

const keepLine = Effect.fnUntraced(function* (base: string, source: OpenFile, from: number, to: number) {
  const side = yield* freshFile(base, 0)
  yield* copyRange(source, from, to, side)
  yield* side.sync
  return side.path
})

/** The file gets a second name: the first free one. */
const keepName = (path: string, taken: number): Effect.Effect<string, StorageError> => {
  const name = `${path}.before-repair${taken === 0 ? "" : `.${taken}`}`
  return Effect.tryPromise({
    try: async () => {
      try {
        await FsPromises.link(path, name)
      } catch (cause) {
        if (!cannotLink.has(systemCode(cause) ?? "")) throw cause
        await FsPromises.copyFile(path, name, Fs.constants.COPYFILE_EXCL)
      }
      return name
    },
    catch: systemError("keep", name, { EEXIST: "Exists" })
  }).pipe(
    Effect.catchIf(
      (error) => error.reason === "Exists" && taken < mostNames,
      () => keepName(path, taken + 1)
    )
  )
}
