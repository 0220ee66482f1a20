/**
 * Replaces or creates one file at a real path, so that a reader sees the old content or the new and nothing between.
 *
 * The new content goes to a temporary file beside the target, is synced and renamed over it. Mode, and owner where
 * the system permits it, are those of the old file. A failure or an interruption leaves the target as it was.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Lexical from "./Lexical.ts"
import { failed } from "./ReadFile.ts"
import { wrongKind } from "./Refusal.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"

const permissionBits = 0o7777

const fill = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  path: string,
  temporary: string,
  file: FileSystem.File,
  bytes: Uint8Array,
  old: FileSystem.File.Info | undefined
): Effect.fn.Return<void, ScopeError> {
  yield* Effect.mapError(file.writeAll(bytes), failed(path, "written"))
  if (old !== undefined) {
    const fresh = yield* Effect.mapError(file.stat, failed(path, "written"))
    const uid = Option.getOrUndefined(old.uid)
    const gid = Option.getOrUndefined(old.gid)
    const isOwners = Option.getOrUndefined(fresh.uid) === uid && Option.getOrUndefined(fresh.gid) === gid
    if (!isOwners && uid !== undefined && gid !== undefined) yield* Effect.ignore(fs.chown(temporary, uid, gid))
    // After the owner: a change of owner takes the set-id bits away.
    yield* Effect.mapError(fs.chmod(temporary, old.mode & permissionBits), failed(path, "written"))
  }
  yield* Effect.mapError(file.sync, failed(path, "written"))
})

const syncDirectory = (fs: FileSystem.FileSystem, directory: string) =>
  Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (file) => file.sync))

/**
 * `real` is a real path that was found to be writable; missing parent directories are made. `beforeRename` runs when
 * all is written and only the rename is left: its failure leaves the old file in place.
 */
export const replace = <E, R>(
  fs: FileSystem.FileSystem,
  path: string,
  real: string,
  bytes: Uint8Array,
  beforeRename: Effect.Effect<void, E, R>
): Effect.Effect<{ readonly created: boolean }, ScopeError | E, R> =>
  Effect.gen(function* () {
    const directory = Lexical.parent(real)
    yield* Effect.mapError(fs.makeDirectory(directory, { recursive: true }), failed(path, "written"))
    const stillThere = Effect.mapError(fs.realPath(directory), failed(path, "written")).pipe(
      Effect.filterOrFail(
        (now) => now === directory,
        () => scopeError("Failed", path, `${path} was not written: its directory was replaced meanwhile. Try again.`)
      )
    )
    yield* stillThere
    const old = yield* Effect.option(fs.stat(real))
    if (old._tag === "Some" && old.value.type !== "File") return yield* wrongKind(path, old.value.type)
    const before = Option.getOrUndefined(old)
    const unique = yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
    const temporary = Lexical.join(directory, `.effect-pod-${unique.toString(36)}.tmp`)
    // A new file gets what the umask leaves of 0666; the content of an old one is never open to more than it was.
    const mode = before === undefined ? 0o666 : 0o600
    yield* Effect.scoped(
      Effect.gen(function* () {
        const file = yield* Effect.acquireRelease(
          Effect.mapError(fs.open(temporary, { flag: "wx", mode, noFollow: true }), failed(path, "written")),
          (_, exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(fs.remove(temporary, { force: true })))
        )
        yield* fill(fs, path, temporary, file, bytes, before)
        yield* beforeRename
        yield* stillThere
        yield* Effect.mapError(fs.rename(temporary, real), failed(path, "written"))
      })
    )
    // The content is in place; that some file systems cannot sync a directory is no failure of the write.
    yield* Effect.ignore(syncDirectory(fs, directory))
    return { created: before === undefined }
  })
