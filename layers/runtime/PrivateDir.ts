/**
 * A directory that is ours alone: owned by this user, mode 0700.
 *
 * What cannot be made so is refused. Only a directory that is evidently ours is given another mode: nobody who points
 * us at `/tmp` by mistake finds it closed to everybody else.
 */
import * as Fs from "node:fs/promises"
import * as Effect from "effect/Effect"
import { RuntimeDirError } from "../../src/runtime/RuntimeDir.ts"
import { makeDirectories } from "../store/MakeDirectories.ts"
import { describeSystemError, systemCode } from "../store/SystemError.ts"

const othersBits = 0o077
const stickyBit = 0o1000

/** Numeric id of the user, or undefined where there is none (Windows). */
export const userId = (): number | undefined => process.getuid?.()

export interface PrivateDirOptions {
  /** Says of what is in the directory whether it may be given mode 0700. */
  readonly isOurs: (entries: ReadonlyArray<string>) => boolean
  /** Where others may write beside it, a link may be a trap. */
  readonly refuseLink: boolean
}

/** Makes the directory if it is missing. */
export const ensurePrivate = (path: string, options: PrivateDirOptions): Effect.Effect<void, RuntimeDirError> =>
  Effect.gen(function* () {
    yield* attempt(path, "make", () => makeDirectories(path))
    const found = yield* attempt(path, "look at", () => (options.refuseLink ? Fs.lstat(path) : Fs.stat(path)))
    if (!found.isDirectory()) {
      return yield* new RuntimeDirError({
        path,
        message: `${path} is a link; expected a directory`,
        hint: `find out who made it, then remove it: rm ${path}`
      })
    }
    const { mode, uid } = found
    const user = userId()
    if (user === undefined) return
    if (uid !== user) {
      return yield* new RuntimeDirError({
        path,
        message: `${path} belongs to user ${uid}, but this process runs as user ${user}`,
        hint: "remove it, or name a directory of your own with EFFECT_POD_RUNTIME_DIR"
      })
    }
    if ((mode & othersBits) === 0) return
    const entries = yield* attempt(path, "read", () => Fs.readdir(path))
    if ((mode & stickyBit) !== 0 || !options.isOurs(entries)) {
      return yield* new RuntimeDirError({
        path,
        message: `${path} is open to other users (mode ${(mode & 0o7777).toString(8)}) and is not for pods alone`,
        hint: `name a directory of its own with EFFECT_POD_RUNTIME_DIR, or close this one with: chmod 700 ${path}`
      })
    }
    yield* attempt(path, "close to others", () => Fs.chmod(path, 0o700))
    const after = yield* attempt(path, "look at", () => Fs.stat(path))
    if ((after.mode & othersBits) === 0) return
    return yield* new RuntimeDirError({
      path,
      message: `${path} stays open to other users: its file system keeps no modes`,
      hint: "name a directory on another file system with EFFECT_POD_RUNTIME_DIR"
    })
  })

const attempt = <A>(path: string, verb: string, run: () => Promise<A>): Effect.Effect<A, RuntimeDirError> =>
  Effect.tryPromise({ try: run, catch: runtimeDirError(verb, path) })

/** Verb and path make the sentence: `cannot make /run/x: permission denied (EACCES)`. */
export const runtimeDirError =
  (verb: string, path: string) =>
  (cause: unknown): RuntimeDirError => {
    const hint = hints[systemCode(cause) ?? ""]
    return new RuntimeDirError({
      path,
      message: `cannot ${verb} ${path}: ${describeSystemError(cause)}`,
      ...(hint === undefined ? {} : { hint })
    })
  }

const elsewhere = "name a directory that can be written to with EFFECT_POD_RUNTIME_DIR"

const hints: Readonly<Record<string, string>> = {
  EACCES: elsewhere,
  ENOENT: elsewhere,
  EPERM: elsewhere,
  EROFS: elsewhere,
  ENOTDIR: "a part of this path is a file: remove it, or name another directory with EFFECT_POD_RUNTIME_DIR",
  EEXIST: "there is a file of this name: remove it, or name another directory with EFFECT_POD_RUNTIME_DIR",
  ENOSPC: "the disk is full: free some space on it, or name another directory with EFFECT_POD_RUNTIME_DIR"
}
