/**
 * Directories of durable files: made private, and synced so that the names in them survive a power cut.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../src/session/StorageError.ts"
import { makeDirectories } from "./MakeDirectories.ts"
import { systemCode, systemError } from "./SystemError.ts"

/** Makes the directory and what is missing above it, mode 0700. Returns the directories whose entries are new. */
export const makePrivate = (path: string): Effect.Effect<ReadonlyArray<string>, StorageError> =>
  Effect.map(
    Effect.tryPromise({
      try: () => makeDirectories(path),
      catch: systemError("create directory", path)
    }),
    (first) => {
      const changed: Array<string> = []
      if (first === undefined) return changed
      for (let here = path; ; here = Path.dirname(here)) {
        changed.push(Path.dirname(here))
        if (here === first || here === Path.dirname(here)) return changed
      }
    }
  )

/** Some file systems cannot sync a directory, and keep its entries without. */
const needless = new Set(["EINVAL", "ENOTSUP", "EISDIR", "EBADF"])

/** The names in the directory survive a power cut. */
export const syncDirectory = (path: string): Effect.Effect<void, StorageError> =>
  Effect.uninterruptible(
    Effect.tryPromise({
      try: async () => {
        const handle = await Fs.open(path, "r")
        try {
          await handle.sync()
        } catch (cause) {
          if (!needless.has(systemCode(cause) ?? "")) throw cause
        } finally {
          await handle.close()
        }
      },
      catch: systemError("sync directory", path)
    })
  )

/** What is in the directory; nothing if there is no such directory. */
export const entriesOf = (path: string) =>
  Effect.tryPromise({
    try: async () => {
      try {
        return await Fs.readdir(path, { withFileTypes: true })
      } catch (cause) {
        if (systemCode(cause) === "ENOENT") return []
        throw cause
      }
    },
    catch: systemError("list", path)
  })

/** Not there: nothing to do. */
export const removeFile = (path: string): Effect.Effect<void, StorageError> =>
  Effect.tryPromise({ try: () => Fs.rm(path, { force: true }), catch: systemError("remove", path) })

const inUse = new Set(["ENOTEMPTY", "EEXIST"])

/** Removes the directory if nothing is in it. What was removed from it or with it stays so after a power cut. */
export const removeEmptyDirectory = (path: string): Effect.Effect<void, StorageError> =>
  Effect.tryPromise({
    try: async () => {
      try {
        await Fs.rmdir(path)
        return Path.dirname(path)
      } catch (cause) {
        const code = systemCode(cause) ?? ""
        if (code === "ENOENT") return undefined
        if (inUse.has(code)) return path
        throw cause
      }
    },
    catch: systemError("remove", path)
  }).pipe(Effect.flatMap((changed) => (changed === undefined ? Effect.void : syncDirectory(changed))))
