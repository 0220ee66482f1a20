/**
 * The file system as a pod's tools see it: every path is resolved and checked against the live scope before it is used.
 *
 * One per pod. What was checked is what is used: operations run on the resolved path, never on the text that was given,
 * and what was opened is asked where it is before anything is read from it or written into it. It knows nothing of tools
 * and of what the content means.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import type * as EffectScope from "effect/Scope"
import type { Permission, ScopeRule, ScopeRules } from "../protocol/ScopeRule.ts"
import * as Lexical from "./Lexical.ts"
import * as LiveScope from "./LiveScope.ts"
import { hasDeniedName, aliases as aliasesOf, makeWalk } from "./Identity.ts"
import { Opener } from "./Opener.ts"
import * as Patience from "./Patience.ts"
import { type Disk, failed, notFound, openDirectory, type OpenFile, openRegular, readAll } from "./ReadFile.ts"
import * as Refusal from "./Refusal.ts"
import { resolve, type Resolution } from "./Resolve.ts"
import { allows } from "./Scope.ts"
import { scopeError, type ScopeError } from "./ScopeError.ts"
import * as Temporaries from "./Temporaries.ts"
import { replace, type Written } from "./WriteFile.ts"

export interface FileBytes {
  readonly real: string
  readonly bytes: Uint8Array
}

/** Where a write would go. `real` need not exist, nor its parent directories. */
export interface WriteTarget {
  readonly real: string
  readonly exists: boolean
}

export interface Entry {
  readonly name: string
  readonly kind: "directory" | "link" | "file"
}

export interface OpenDirectory {
  readonly real: string
  /** A path of that very directory, for processes too, wherever the names above it lead meanwhile. */
  readonly here: string
  /**
   * Of a real path below it, for what finds paths by walking: whether its name, or its content, may be shown in spite of
   * other names of what is denied. Undefined where nothing is denied.
   */
  readonly unaliased: undefined | { readonly [W in "name" | "content"]: (path: string) => Effect.Effect<boolean> }
}

export interface ScopedFsShape {
  /** The pod's working directory, a real path. */
  readonly cwd: string
  /** The scope as it was written, live. */
  readonly rules: Effect.Effect<ScopeRules>
  /** To check many real paths against one and the same scope. */
  readonly snapshot: Effect.Effect<LiveScope.ScopeSnapshot, ScopeError>
  /** Where absolute paths lead, whatever the scope says of them. For judging alone: all of them within one limit. */
  readonly whereAre: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Resolution>, ScopeError>
  /** A regular file, open for reading for the length of the Scope. For windows of files of any size. */
  readonly open: (path: string) => Effect.Effect<OpenFile, ScopeError, EffectScope.Scope>
  /** The whole file. Fails with `TooLarge` above `maxBytes`. */
  readonly readBytes: (path: string, maxBytes: number) => Effect.Effect<FileBytes, ScopeError>
  /** Where a write to `path` would go, if it may. */
  readonly resolveForWrite: (path: string) => Effect.Effect<WriteTarget, ScopeError>
  /**
   * Replaces or creates the file in one step; a link stays a link and its target is replaced. `beforeRename` is the
   * last chance to say no: it gets the real path.
   */
  readonly writeAtomic: <E = never, R = never>(
    path: string,
    bytes: Uint8Array,
    beforeRename?: (real: string) => Effect.Effect<void, E, R>
  ) => Effect.Effect<Written & { readonly real: string }, ScopeError | E, R>
  /** A directory that may be searched, open for the length of the Scope. A path that is itself a link is refused. */
  readonly directory: (path: string) => Effect.Effect<OpenDirectory, ScopeError, EffectScope.Scope>
  /** Removes what a killed process of this owner has left beside `path` while it was writing it. */
  readonly tidy: (path: string) => Effect.Effect<void, ScopeError>
  /** The readable entries of a directory: directories, then links, then the rest, each sorted by name. */
  readonly list: (path: string) => Effect.Effect<ReadonlyArray<Entry>, ScopeError>
}

export class ScopedFs extends Context.Service<ScopedFs, ScopedFsShape>()("effect-pod/scope/ScopedFs") {}

export interface ScopedFsOptions {
  /** Absolute. Must exist and be readable in the scope. */
  readonly cwd: string
  /** Read at every call: what it yields then is what holds. */
  readonly rules: Effect.Effect<ScopeRules>
  /** Directories of the pod's own, readable besides the scope: where tools spill long output. */
  readonly readable?: ReadonlyArray<string>
  /** Of which there is never more than one alive, anywhere: by it temporary files are known whose writer was killed. */
  readonly owner?: string
}

const kindOrder: { readonly [K in Entry["kind"]]: number } = { directory: 0, link: 1, file: 2 }

const byKindAndName = (a: Entry, b: Entry): number =>
  kindOrder[a.kind] - kindOrder[b.kind] || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

export const make = Effect.fn("ScopedFs.make")(function* (
  options: ScopedFsOptions
): Effect.fn.Return<ScopedFsShape, ScopeError, EffectScope.Scope | FileSystem.FileSystem | Opener> {
  const fs = yield* FileSystem.FileSystem
  const disk: Disk = { fs, opener: yield* Opener }
  const temporaries = Temporaries.make(fs, options.owner)
  const patiently = yield* Patience.make
  const snapshot = LiveScope.make({
    fs,
    rules: options.rules,
    readable: options.readable ?? [],
    within: patiently("A place that the scope names", "looked at")
  })

  /** Resolves, then asks the scope: a path outside of it is told from a missing one only within it. */
  const permitted = Effect.fnUntraced(function* (path: string, needed: Permission, cwd: string) {
    if (!Lexical.isAbsolute(path)) return yield* Refusal.notAbsolute(path, cwd)
    const scope = yield* snapshot
    const resolution = yield* resolve(fs, path, (real) => scope.access(real) !== "none")
    const asked = { fs, scope, path, needed }
    if (resolution._tag === "Unresolvable") return yield* yield* Refusal.unresolvable({ ...asked, ...resolution })
    if (resolution._tag === "BrokenLink") return yield* Refusal.brokenLink(scope, path, resolution, needed)
    const { real } = resolution
    const aliases = scope.denied.length === 0 ? [] : yield* aliasesOf(fs, scope.denied, real)
    if (!allows(scope.access(real, path, aliases), needed)) return yield* yield* Refusal.outOfScope({ ...asked, real })
    return { real, exists: resolution._tag === "Existing", scope }
  })

  const cwd = yield* Effect.gen(function* () {
    const found = yield* permitted(options.cwd, "read", options.cwd)
    return found.exists ? found.real : yield* notFound(options.cwd)
  }).pipe(
    patiently(options.cwd, "looked at"),
    Effect.mapError((error) => scopeError(error.reason, error.path, `The working directory: ${error.message}`))
  )

  const readable = Effect.fnUntraced(function* (path: string) {
    const found = yield* permitted(path, "read", cwd)
    return found.exists ? found : yield* notFound(path)
  })

  const directory = Effect.fnUntraced(function* (path: string) {
    const { real, scope } = yield* readable(path)
    return { real, scope, opened: yield* openDirectory(disk, path, real) }
  })

  const open = Effect.fnUntraced(function* (path: string) {
    const { real, scope } = yield* readable(path)
    const file = yield* openRegular(disk, path, real)
    if (file.links > 1 && (yield* hasDeniedName(fs, scope.denied, file))) return yield* Refusal.hardLink(path)
    const read = (buffer: Uint8Array) => patiently(path, "read")(file.read(buffer))
    return { ...file, read }
  })

  const list = Effect.fnUntraced(function* (path: string) {
    const { opened, real, scope } = yield* directory(path)
    const found = yield* Effect.mapError(fs.readDirectoryEntries(opened.entry(".")), failed(path, "listed"))
    const entries: Array<Entry> = []
    for (const { name, type } of found) {
      const entry = Lexical.join(real, name)
      if (scope.access(entry) === "none") continue
      if (type !== "SymbolicLink") {
        entries.push({ name, kind: type === "Directory" ? "directory" : "file" })
        continue
      }
      const target = yield* Effect.option(fs.realPath(entry))
      if (target._tag === "Some" && scope.access(target.value) !== "none") entries.push({ name, kind: "link" })
    }
    return entries.toSorted(byKindAndName)
  })

  return {
    cwd,
    rules: options.rules,
    snapshot,
    whereAre: (paths) =>
      Effect.forEach(paths, (path) => resolve(fs, path)).pipe(patiently(paths.join(", "), "looked at")),
    open: (path) => patiently(path, "opened")(open(path)),
    readBytes: (path, maxBytes) =>
      Effect.gen(function* () {
        const file = yield* open(path)
        return { real: file.real, bytes: yield* readAll(path, file, maxBytes) }
      }).pipe(Effect.scoped, patiently(path, "read")),
    resolveForWrite: (path) =>
      Effect.map(permitted(path, "write", cwd), ({ exists, real }) => ({ real, exists })).pipe(
        patiently(path, "looked at")
      ),
    writeAtomic: <E = never, R = never>(
      path: string,
      bytes: Uint8Array,
      beforeRename?: (real: string) => Effect.Effect<void, E, R>
    ) =>
      Effect.gen(function* () {
        const { real, scope } = yield* permitted(path, "write", cwd)
        const mayMake = (parent: string) => allows(scope.access(parent), "write")
        const replacement = { path, real, bytes, mayMake, temporaries }
        return { real, ...(yield* replace(disk, replacement, beforeRename?.(real) ?? Effect.void)) }
      }).pipe(patiently(path, "written")),
    tidy: (path) =>
      Effect.gen(function* () {
        const { real } = yield* permitted(path, "write", cwd)
        const parent = Lexical.parent(real)
        yield* temporaries.tidy(yield* openDirectory(disk, path, parent), parent)
      }).pipe(Effect.scoped, patiently(path, "looked at")),
    directory: Effect.fnUntraced(function* (path) {
      const { opened, real, scope } = yield* patiently(path, "opened")(directory(path))
      const isLink = yield* Effect.isSuccess(fs.readLink(Lexical.normalize(path))).pipe(patiently(path, "looked at"))
      if (!isLink) {
        const isReadable = (at: string, aliases: ReadonlyArray<ScopeRule>) =>
          scope.access(at, undefined, aliases) !== "none"
        const hides = scope.denied.some(({ rule }) => rule.permission === "read")
        return {
          real,
          here: opened.entry("."),
          unaliased: hides ? makeWalk(fs, scope.denied, real, isReadable) : undefined
        }
      }
      const message = `${path} is a link to the directory ${real}: name that directory itself.`
      return yield* scopeError("LinkToDirectory", path, message)
    }),
    list: (path) => patiently(path, "listed")(Effect.scoped(list(path)))
  }
})

export const layer = (options: ScopedFsOptions): Layer.Layer<ScopedFs, ScopeError, FileSystem.FileSystem | Opener> =>
  Layer.effect(ScopedFs, make(options))
