/** Real directories and a scoped file system over them. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import * as Files from "../../layers/runtime/Files.ts"
import * as OpenerLive from "../../layers/runtime/Opener.ts"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { Opener } from "../../src/scope/Opener.ts"
import type { ScopeError } from "../../src/scope/ScopeError.ts"
import * as ScopedFs from "../../src/scope/ScopedFs.ts"

/** A fresh directory, removed when the Scope closes. Its path is real. */
export const tempDir = Effect.acquireRelease(
  Effect.sync(() => NFS.realpathSync(NFS.mkdtempSync(Path.join(OS.tmpdir(), "effect-pod-test-")))),
  (path) => Effect.sync(() => NFS.rmSync(path, { recursive: true, force: true }))
)

/** Writes files by their path below `root`; a name with a slash at the end is a directory. */
export const fill = (root: string, files: Readonly<Record<string, string | Uint8Array>>): void => {
  for (const [name, content] of Object.entries(files)) {
    const path = Path.join(root, name)
    if (name.endsWith("/")) {
      NFS.mkdirSync(path, { recursive: true })
      continue
    }
    NFS.mkdirSync(Path.dirname(path), { recursive: true })
    NFS.writeFileSync(path, content)
  }
}

export const write = (target: string, recursive = true): ScopeRule => ({ target, permission: "write", recursive })
export const read = (target: string, recursive = true): ScopeRule => ({ target, permission: "read", recursive })

/** What somebody else does to the disk while it is used. */
export interface Meddling {
  /** A file or a directory is about to be opened. */
  readonly beforeOpen?: ((path: string) => void) | undefined
  /** It has been opened, and nobody has looked at it yet. */
  readonly afterOpen?: ((path: string) => void) | undefined
  /** It is known what a path really names. */
  readonly afterRealPath?: ((path: string) => void) | undefined
}

/** The real file system, with somebody else at work in it. */
export const meddled = (meddling: Meddling) => {
  const around = <A, E, R>(path: string, open: Effect.Effect<A, E, R>) =>
    Effect.sync(() => meddling.beforeOpen?.(path)).pipe(
      Effect.andThen(open),
      Effect.tap(() => Effect.sync(() => meddling.afterOpen?.(path)))
    )
  const files = Effect.map(FileSystem.FileSystem, (fs) =>
    FileSystem.make({
      ...fs,
      open: (path, options) => around(path, fs.open(path, options)),
      realPath: (path) => Effect.tap(fs.realPath(path), () => Effect.sync(() => meddling.afterRealPath?.(path)))
    })
  )
  const opener = Effect.map(Opener, ({ open }) => ({ open: (path: string) => around(path, open(path)) }))
  return Layer.merge(
    Layer.effect(FileSystem.FileSystem, files).pipe(Layer.provide(Files.layer)),
    Layer.effect(Opener, opener).pipe(Layer.provide(OpenerLive.layer))
  )
}

/** A scoped file system whose rules can be changed while it is used. */
export const scoped = Effect.fnUntraced(function* (
  options: {
    readonly cwd: string
    readonly allow?: ReadonlyArray<ScopeRule>
    readonly deny?: ReadonlyArray<ScopeRule>
    readonly readable?: ReadonlyArray<string>
    readonly owner?: string
  } & Meddling
) {
  const rules = yield* Ref.make<ScopeRules>({
    allow: options.allow ?? [write(options.cwd)],
    deny: options.deny ?? []
  })
  const fs = yield* ScopedFs.make({
    cwd: options.cwd,
    rules: Ref.get(rules),
    ...(options.readable === undefined ? {} : { readable: options.readable }),
    ...(options.owner === undefined ? {} : { owner: options.owner })
  }).pipe(Effect.provide(meddled(options)))
  return { fs, rules }
})

export const MiB = 1024 * 1024
export const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** A work directory beside one that is out of scope. */
export const world = Effect.gen(function* () {
  const root = yield* tempDir
  fill(root, { "work/a.txt": "alpha\n", "work/sub/b.txt": "beta\n", "outside/secret.txt": "secret\n" })
  return {
    work: Path.join(root, "work"),
    outside: Path.join(root, "outside"),
    at: (name: string) => Path.join(root, name)
  }
})

export const refused = Effect.fnUntraced(function* <A, R>(effect: Effect.Effect<A, ScopeError, R>) {
  return yield* Effect.flip(effect)
})
