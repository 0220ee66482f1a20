/**
 * Replaces or creates one file at a real path, so that a reader sees the old content or the new and nothing between.
 *
 * The new content goes to a temporary file beside the target, is synced and renamed over it. Mode, and owner and
 * group where the system permits it, are those of the old file. A failure or an interruption leaves the target as it was.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import * as Lexical from "./Lexical.ts"
import type { Opened } from "./Opener.ts"
import { type Disk, failed, isAt } from "./ReadFile.ts"
import { wrongKind } from "./Refusal.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"
import type { Temporaries } from "./Temporaries.ts"

const permissionBits = 0o7777

/** The owner where the system permits it, else the group alone. False if the file has another group than before. */
const keepOwner = Effect.fnUntraced(function* (
  fs: FileSystem.FileSystem,
  temporary: string,
  fresh: FileSystem.File.Info,
  old: FileSystem.File.Info
) {
  const [uid, gid] = [Option.getOrUndefined(old.uid), Option.getOrUndefined(old.gid)]
  const [ownUid, ownGid] = [Option.getOrUndefined(fresh.uid), Option.getOrUndefined(fresh.gid)]
  if (uid === undefined || gid === undefined || ownUid === undefined) return true
  if (uid === ownUid && gid === ownGid) return true
  if (yield* succeeds(fs.chown(temporary, uid, gid))) return true
  return gid === ownGid || (yield* succeeds(fs.chown(temporary, ownUid, gid)))
})

const succeeds = (effect: Effect.Effect<void, PlatformError>): Effect.Effect<boolean> =>
  Effect.match(effect, { onFailure: () => false, onSuccess: () => true })

/** What the old group might do is not for another one, which may do what everybody may. */
const modeFor = (mode: number, isGroups: boolean): number =>
  isGroups ? mode & permissionBits : (mode & 0o1707) | ((mode & 0o007) << 3)

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
    const isGroups = yield* keepOwner(fs, temporary, fresh, old)
    // After the owner: a change of owner takes the set-id bits away.
    yield* Effect.mapError(fs.chmod(temporary, modeFor(old.mode, isGroups)), failed(path, "written"))
  }
  yield* Effect.mapError(file.sync, failed(path, "written"))
})

export interface Replacement {
  /** The name for messages. */
  readonly path: string
  /** A real path that was found to be writable. */
  readonly real: string
  readonly bytes: Uint8Array
  /** Asked of each missing directory above it, by its real path. */
  readonly mayMake: (directory: string) => boolean
  readonly temporaries: Temporaries
}

export interface Written {
  readonly created: boolean
  /** Names that the old file had, 0 if there was none. Only this one has the new content. */
  readonly links: number
}

const replaced = (path: string): ScopeError =>
  scopeError("Failed", path, `${path} was not written: its directory was replaced meanwhile. Try again.`)

/** The directory at a real path, open; what is missing of it is made, step by step through what is open already. */
const openParent = (
  disk: Disk,
  { mayMake, path }: Pick<Replacement, "mayMake" | "path">,
  directory: string
): Effect.Effect<Opened, ScopeError, Scope.Scope> =>
  Effect.gen(function* () {
    const there = yield* Effect.option(disk.fs.stat(directory))
    if (there._tag === "Some") return yield* openAt(disk, path, directory, directory)
    if (!mayMake(directory)) {
      const message = `${path} cannot be written: its directory ${directory} does not exist and may not be made.`
      return yield* scopeError("OutOfScope", path, message)
    }
    const above = yield* openParent(disk, { path, mayMake }, parentOf(directory))
    const entry = above.entry(Lexical.name(directory))
    yield* Effect.catchIf(
      disk.fs.makeDirectory(entry),
      (error) => error.reason._tag === "AlreadyExists",
      () => Effect.void
    ).pipe(Effect.mapError(failed(path, "written")))
    return yield* openAt(disk, path, entry, directory)
  })

const parentOf = (path: string): string => (path === "/" ? "/" : Lexical.parent(path))

const openAt = Effect.fnUntraced(function* (disk: Disk, path: string, place: string, real: string) {
  const opened = yield* Effect.mapError(disk.opener.open(place), failed(path, "written"))
  if (opened.kind !== "Directory") {
    return yield* scopeError("Failed", path, `${path} could not be written: a part of the path is not a directory.`)
  }
  return (yield* isAt(disk, opened, real)) ? opened : yield* replaced(path)
})

/**
 * `beforeRename` runs when all is written and only the rename is left: its failure leaves the old file in place.
 * Everything happens in the directory that was checked, whatever its name leads to meanwhile.
 */
export const replace = <E, R>(
  disk: Disk,
  replacement: Replacement,
  beforeRename: Effect.Effect<void, E, R>
): Effect.Effect<Written, ScopeError | E, R> =>
  Effect.gen(function* () {
    const { fs } = disk
    const { bytes, path, real, temporaries } = replacement
    if (real === "/") return yield* wrongKind(path, "Directory")
    const directory = yield* openParent(disk, replacement, Lexical.parent(real))
    yield* temporaries.tidy(directory, Lexical.parent(real))
    const target = directory.entry(Lexical.name(real))
    if (yield* Effect.isSuccess(fs.readLink(target))) return yield* replaced(path)
    const old = yield* Effect.option(fs.stat(target))
    if (old._tag === "Some" && old.value.type !== "File") return yield* wrongKind(path, old.value.type)
    const before = Option.getOrUndefined(old)
    const temporary = directory.entry(yield* temporaries.name)
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
        if (!(yield* isAt(disk, directory, Lexical.parent(real)))) return yield* replaced(path)
        yield* Effect.mapError(fs.rename(temporary, target), failed(path, "written"))
      })
    )
    // The content is in place; that some file systems cannot sync a directory is no failure of the write.
    yield* Effect.ignore(syncDirectory(fs, directory.entry(".")))
    return { created: before === undefined, links: Number(Option.getOrElse(before?.nlink ?? Option.none(), () => 0n)) }
  }).pipe(Effect.scoped) as Effect.Effect<Written, ScopeError | E, R>

const syncDirectory = (fs: FileSystem.FileSystem, directory: string) =>
  Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (file) => file.sync))
