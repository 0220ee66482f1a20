/**
 * A directory and what is missing above it, mode 0700.
 *
 * Node does it too (`recursive: true`), but never returns where a directory that exists takes no new names and says
 * ENOENT, as /proc does.
 */
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { systemCode } from "./SystemError.ts"

/** Returns the topmost directory that was made, or undefined if there was nothing to make. */
export const makeDirectories = async (path: string): Promise<string | undefined> => {
  try {
    return await makeOne(path)
  } catch (cause) {
    const parent = Path.dirname(path)
    if (systemCode(cause) !== "ENOENT" || parent === path) throw cause
    const first = await makeDirectories(parent)
    // Once more and no further: the parent is there now.
    const own = await makeOne(path)
    return first ?? own
  }
}

const makeOne = async (path: string): Promise<string | undefined> => {
  try {
    await Fs.mkdir(path, { mode: 0o700 })
    return path
  } catch (cause) {
    // Somebody else may have made it; and a file system that is read-only may refuse what is there already.
    if (await isDirectory(path)) return undefined
    throw cause
  }
}

const isDirectory = (path: string): Promise<boolean> =>
  Fs.stat(path).then(
    (found) => found.isDirectory(),
    () => false
  )
