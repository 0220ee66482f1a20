/** A scoped file system over a disk that does not answer for some of its paths. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as Files from "../../layers/runtime/Files.ts"
import * as OpenerLive from "../../layers/runtime/Opener.ts"
import type { ScopeRule, ScopeRules } from "../../src/protocol/ScopeRule.ts"
import { Opener } from "../../src/scope/Opener.ts"
import * as ScopedFs from "../../src/scope/ScopedFs.ts"
import { world, write } from "./support.ts"

/** The real disk, behind a gate for some paths: like a mount that is away, it can be neither asked nor called back. */
export const gated = Effect.gen(function* () {
  const place = yield* world
  const gate = yield* Deferred.make<void>()
  const asked = yield* Queue.unbounded<string>()
  let isShut = true
  let count = 0
  const pass = (path: string) =>
    isShut && path.includes("sub")
      ? Effect.uninterruptible(Effect.andThen(Queue.offer(asked, `${++count} ${path}`), Deferred.await(gate)))
      : Effect.void
  const layer = Layer.merge(
    Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (fs) =>
        FileSystem.make({
          ...fs,
          realPath: (path) => Effect.andThen(pass(path), fs.realPath(path)),
          stat: (path) => Effect.andThen(pass(path), fs.stat(path)),
          rename: (from, to) => Effect.andThen(pass(to), fs.rename(from, to))
        })
      )
    ).pipe(Layer.provide(Files.layer)),
    Layer.effect(
      Opener,
      Effect.map(Opener, ({ open }) => ({ open: (path: string) => Effect.andThen(pass(path), open(path)) }))
    ).pipe(Layer.provide(OpenerLive.layer))
  )
  const rules = yield* Ref.make<ScopeRules>({ allow: [write(place.work)], deny: [] })
  const fs = yield* Effect.provide(ScopedFs.make({ cwd: place.work, rules: Ref.get(rules) }), layer)
  const narrow = (...deny: ReadonlyArray<ScopeRule>) => Ref.set(rules, { allow: [write(place.work)], deny })
  const open = Effect.andThen(
    Effect.sync(() => (isShut = false)),
    Deferred.succeed(gate, undefined)
  )
  // A test that fails before must not wait for it.
  yield* Effect.addFinalizer(() => open)
  return { ...place, fs, asked: Queue.take(asked), count: () => count, narrow, open }
})
