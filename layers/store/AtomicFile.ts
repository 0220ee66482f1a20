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
import { syncDirectory } from "./Directory.ts"
import { systemError } from "./SystemError.ts"

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

const writeAndRename = async (path: string, text: string, sync: boolean): Promise<void> => {
  const temporary = Path.join(Path.dirname(path), `.${Path.basename(path)}.${Crypto.randomUUID()}.tmp`)
  try {
    const handle = await Fs.open(temporary, "wx", 0o600)
    try {
      await handle.writeFile(text)
      if (sync) await handle.sync()
    } finally {
      await handle.close()
    }
    await Fs.rename(temporary, path)
  } catch (cause) {
    await Fs.rm(temporary, { force: true }).catch(() => undefined)
    throw cause
  }
}
