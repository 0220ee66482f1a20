/**
 * Names of a segment's file: a further one in another session, and none at all.
 *
 * A hard link costs the same for every length. Where the file system has none, the bytes are copied.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../src/session/StorageError.ts"
import { cannotLink, isTemporaryOf, temporaryOf } from "./AtomicFile.ts"
import { entriesOf, removeEmptyDirectory, removeFile } from "./Directory.ts"
import { systemCode, systemError } from "./SystemError.ts"

/** A link to a link would end with the first of them. */
export const realPath = (operation: string, path: string): Effect.Effect<string, StorageError> =>
  Effect.tryPromise({
    try: () => Fs.realpath(path),
    catch: systemError(operation, path, { ENOENT: "NotFound" })
  })

/** There already: nothing to do. The names are not synced, a copy is. */
export const linkFile = (from: string, to: string): Effect.Effect<void, StorageError> =>
  Effect.uninterruptible(
    Effect.tryPromise({
      try: async () => {
        try {
          await Fs.link(from, to)
        } catch (cause) {
          const code = systemCode(cause) ?? ""
          if (code === "EEXIST") return
          if (!cannotLink.has(code)) throw cause
          await copyFile(from, to)
        }
      },
      catch: systemError("link", to, { ENOENT: "NotFound" })
    })
  )

const copyFile = async (from: string, to: string): Promise<void> => {
  const there = await Fs.stat(to).catch(() => undefined)
  if (there !== undefined) return
  const temporary = temporaryOf(to)
  try {
    await Fs.copyFile(from, temporary, Fs.constants.COPYFILE_EXCL)
    const handle = await Fs.open(temporary, "r+")
    try {
      await handle.chmod(0o600)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await Fs.rename(temporary, to)
  } finally {
    await Fs.rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** The segment goes last: as long as it is there, a removal that was cut off can be asked for again. */
export const removeSegment = Effect.fnUntraced(function* (directory: string, path: string, segmentId: string) {
  const names = (yield* entriesOf(directory)).map((entry) => entry.name)
  for (const name of names) {
    if (isSideFile(name, segmentId) || isTemporaryOf(path, name)) yield* removeFile(Path.join(directory, name))
  }
  yield* removeFile(path)
  yield* removeEmptyDirectory(directory)
})

/** What was put aside when the segment was mended. */
export const isSideFile = (name: string, segmentId: string): boolean =>
  sides.some((side) => name.startsWith(`${segmentId}${side}`))

const sides = [".torn-", ".bad-", ".jsonl.before-repair"]
