/**
 * A small file that is replaced whole: a reader sees the old text or the new one, never a part.
 *
 * The new text is written beside the old one and renamed over it, also when the file is a link. Mode 0600.
 */
import * as Crypto from "node:crypto"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import type { StorageError } from "../../src/session/StorageError.ts"
import { removeFile, syncDirectory } from "./Directory.ts"
import { systemCode, systemError } from "./SystemError.ts"

/** `sync`: returns only when the new text survives a power cut. Not interruptible half-way. */
export const replaceFile = (
  path: string,
  text: string,
  options: { readonly sync: boolean }
): Effect.Effect<void, StorageError> =>
  Effect.uninterruptible(
    Effect.andThen(
      Effect.tryPromise({ try: () => writeAndRename(path, text, options.sync), catch: systemError("replace", path) }),
      options.sync ? syncDirectory(Path.dirname(path)) : Effect.void
    )
  )

/**
 * Makes the file, whole and synced, or fails with `Exists`: of two processes that try, one does. Who finds the file
 * finds all of it. `changed` are directories above its own that are new and must be synced too. If one cannot be, the
 * file is taken back: what has failed is not there.
 */
export const createFile = (
  path: string,
  text: string,
  changed: ReadonlyArray<string>
): Effect.Effect<void, StorageError> =>
  Effect.tryPromise({
    try: () => writeBeside(path, text, true, (temporary) => linkOrCopy(temporary, path)),
    catch: systemError("create", path, { EEXIST: "Exists" })
  }).pipe(
    Effect.andThen(
      Effect.forEach([Path.dirname(path), ...changed], syncDirectory, { discard: true }).pipe(
        Effect.onError(() => Effect.ignore(removeFile(path)))
      )
    ),
    Effect.uninterruptible
  )

const writeAndRename = (path: string, text: string, sync: boolean): Promise<void> =>
  writeBeside(path, text, sync, (temporary) => Fs.rename(temporary, path))

/** Files beside `path` that a killed process has left half-written. */
export const isTemporaryOf = (path: string, name: string): boolean =>
  name.startsWith(`.${Path.basename(path)}.`) && name.endsWith(".tmp")

export const temporaryOf = (path: string): string =>
  Path.join(Path.dirname(path), `.${Path.basename(path)}.${Crypto.randomUUID()}.tmp`)

const writeBeside = async (
  path: string,
  text: string,
  sync: boolean,
  put: (temporary: string) => Promise<void>
): Promise<void> => {
  const temporary = temporaryOf(path)
  try {
    const handle = await Fs.open(temporary, "wx", 0o600)
    try {
      await handle.writeFile(text)
      if (sync) await handle.sync()
    } finally {
      await handle.close()
    }
    await put(temporary)
  } finally {
    await Fs.rm(temporary, { force: true }).catch(() => undefined)
  }
}

/** `link` refuses a name that is taken, where `rename` replaces it. */
const linkOrCopy = async (from: string, to: string): Promise<void> => {
  try {
    await Fs.link(from, to)
  } catch (cause) {
    if (!cannotLink.has(systemCode(cause) ?? "")) throw cause
    // Still exclusive; a reader may see a part of it, which a file system without links cannot prevent.
    await Fs.copyFile(from, to, Fs.constants.COPYFILE_EXCL)
    const handle = await Fs.open(to, "r")
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }
}

/** What a file system answers that has no hard links, none between these two places, or no more for this file. */
export const cannotLink: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EXDEV", "EMLINK"])
