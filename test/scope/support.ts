/** Real directories and a scoped file system over them. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as NFS from "node:fs"
import * as OS from "node:os"
import * as Path from "node:path"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
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

/** The real file system, with somebody else at work in it. */
export const meddled = (beforeOpen: ((path: string) => void) | undefined) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) =>
      FileSystem.make({
        ...fs,
        open: (path, options) =>
          Effect.andThen(
            Effect.sync(() => beforeOpen?.(path)),
            fs.open(path, options)
          )
      })
    )
  ).pipe(Layer.provide(NodeFileSystem.layer))

/** A scoped file system whose rules can be changed while it is used. */
export const scoped = Effect.fnUntraced(function* (options: {
  readonly cwd: string
  readonly allow?: ReadonlyArray<ScopeRule>
  readonly deny?: ReadonlyArray<ScopeRule>
  readonly readable?: ReadonlyArray<string>
  /** What happens on the disk when a file is about to be opened. */
  readonly beforeOpen?: (path: string) => void
}) {
  const rules = yield* Ref.make<ScopeRules>({
    allow: options.allow ?? [write(options.cwd)],
    deny: options.deny ?? []
  })
  const fs = yield* ScopedFs.make({
    cwd: options.cwd,
    rules: Ref.get(rules),
    ...(options.readable === undefined ? {} : { readable: options.readable })
  }).pipe(Effect.provide(meddled(options.beforeOpen)))
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
