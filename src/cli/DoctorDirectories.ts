/** Checks of `doctor` on configuration, data and runtime directories: there, ours, private, writable, with room. */
import { constants } from "node:fs"
import { access, mkdtemp, rmdir, stat, statfs } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { socketPathOf } from "../../layers/runtime/RuntimeDir.ts"
import { describeSystemError } from "../../layers/store/SystemError.ts"
import { fail, type Finding, ok, warn } from "./Finding.ts"
import { directoriesOf } from "./Directories.ts"

type Env = Readonly<Record<string, string | undefined>>

const mebibyte = 1024 * 1024
/** Less than this on the disk of the data is worth a word. */
const littleRoom = 256 * mebibyte

const statOf = (path: string) => stat(path).catch(() => undefined)

const writable = (path: string): Promise<boolean> =>
  access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false
  )

/**
 * Why nothing can be made in this directory; undefined if it can. Tried and not asked for: to root every mode allows
 * everything, and some file systems take no new names all the same. A directory of the pods' own is asked: its being
 * there shows that its file system takes names, and looking changes nothing in it.
 */
const refusal = (path: string): Promise<string | undefined> =>
  mkdtemp(join(path, ".effect-pod-doctor-"))
    .then(rmdir)
    .then(() => undefined, describeSystemError)

/** The directory itself, or the nearest one above it that exists. */
const nearestExisting = async (path: string): Promise<string> => {
  let here = path
  while ((await statOf(here)) === undefined && dirname(here) !== here) here = dirname(here)
  return here
}

const checkDirectory = async (
  check: string,
  path: string,
  rule: { readonly needed: boolean; readonly variable: string }
): Promise<Finding> => {
  const info = await statOf(path)
  const elsewhere = `name another directory with ${rule.variable}`
  if (info === undefined) {
    const above = await nearestExisting(path)
    if (!rule.needed) return ok(check, `${path} does not exist; it is optional`)
    const why = await refusal(above)
    return why === undefined
      ? ok(check, `${path} does not exist yet; it is made when it is needed`)
      : fail(check, `${path} does not exist, and nothing can be made in ${above}: ${why}`, elsewhere)
  }
  if (!info.isDirectory()) return fail(check, `${path} is not a directory`, `remove it, or ${elsewhere}`)
  const user = process.getuid?.()
  if (user !== undefined && info.uid !== user) {
    return fail(check, `${path} belongs to user ${info.uid}, not to this one (${user})`, elsewhere)
  }
  if (rule.needed && !(await writable(path))) return fail(check, `${path} cannot be written to`, elsewhere)
  const mode = (info.mode & 0o777).toString(8)
  if ((info.mode & 0o077) !== 0 && rule.needed) {
    return warn(check, `${path} is open to other users (mode ${mode})`, `chmod 700 ${path}`)
  }
  return ok(check, `${path} (mode ${mode})`)
}

const checkRoom = async (path: string): Promise<Finding> => {
  const { bavail, bsize } = await statfs(await nearestExisting(path))
  const free = bavail * bsize
  const text = `${Math.floor(free / mebibyte)} MiB free`
  if (free < mebibyte) return fail("disk", text, "free some space: the journal must be written before anything is done")
  return free < littleRoom ? warn("disk", text, "free some space") : ok("disk", text)
}

export const checkDirectories = (env: Env): Effect.Effect<ReadonlyArray<Finding>> =>
  directoriesOf(env).pipe(
    Effect.flatMap((directories) =>
      Effect.promise(async (): Promise<ReadonlyArray<Finding>> => {
        const longest = socketPathOf(directories.runtime, "x".repeat(64))
        return [
          await checkDirectory("config directory", directories.config, {
            needed: false,
            variable: "EFFECT_POD_CONFIG_DIR"
          }),
          await checkDirectory("data directory", directories.data, { needed: true, variable: "EFFECT_POD_DATA_DIR" }),
          await checkDirectory("runtime directory", directories.runtime, {
            needed: true,
            variable: "EFFECT_POD_RUNTIME_DIR"
          }),
          longest.startsWith(`${directories.runtime}/`)
            ? ok("socket paths", "short enough for every name")
            : ok(
                "socket paths",
                `${directories.runtime} is long: pods with long names have their sockets in ${dirname(longest)}`
              ),
          await checkRoom(directories.data).catch((): Finding => warn("disk", "the free space cannot be found out"))
        ]
      })
    ),
    Effect.catch(({ hint, message }) => Effect.succeed([fail("directories", message, hint)]))
  )
