/** What a kill leaves between the write of a file and its rename is removed by its owner, and by nobody else. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Files from "../../layers/runtime/Files.ts"
import * as OpenerLive from "../../layers/runtime/Opener.ts"
import * as ScopedFs from "../../src/scope/ScopedFs.ts"
import { encode } from "../../src/scope/Text.ts"
import { scoped, world, write } from "./support.ts"

const left = (directory: string) => NFS.readdirSync(directory).filter((name) => name.endsWith(".tmp"))

const root = fileURLToPath(new URL("../../", import.meta.url))

/** A process that has written a file beside its target. The effect kills it. */
const writing = (cwd: string, owner: string, path: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const host = [Path.join(root, "scripts/run-ts.mjs"), Path.join(root, "test/scope/WritingHost.ts")]
      const child = spawn(process.execPath, [...host, cwd, owner, path], { stdio: ["ignore", "pipe", "inherit"] })
      const ended = once(child, "exit")
      await once(child.stdout, "data")
      return Effect.promise(async () => {
        child.kill("SIGKILL")
        await ended
        NFS.rmSync(Path.join(root, `.dist-run-${child.pid}`), { recursive: true, force: true })
      })
    }),
    (kill) => kill
  )

describe("a temporary file", () => {
  it.live("of a killed process is removed at its owner's next write there, or when asked; others stay", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const kill = yield* writing(work, "mine", at("work/a.txt"))
      const other = yield* writing(work, "other", at("work/a.txt"))
      assert.strictEqual(left(work).length, 2)
      yield* kill
      NFS.writeFileSync(at("work/.effect-pod-mine"), "not one of ours")
      NFS.writeFileSync(at("work/mine.tmp"), "not one of ours")
      const stranger = yield* scoped({ cwd: work, owner: "min" })
      yield* stranger.fs.writeAtomic(at("work/b.txt"), encode("b"))
      assert.strictEqual(left(work).length, 3)
      const { fs } = yield* scoped({ cwd: work, owner: "mine" })
      yield* fs.writeAtomic(at("work/b.txt"), encode("c"))
      assert.deepStrictEqual(
        left(work).map((name) => name.replace(/-\w+\.tmp$/, "")),
        [".effect-pod-other", "mine.tmp"]
      )
      assert.strictEqual(NFS.readFileSync(at("work/a.txt"), "utf8"), "alpha\n")
      yield* other
      const successor = yield* scoped({ cwd: work, owner: "other" })
      yield* successor.fs.tidy(at("work/a.txt"))
      assert.deepStrictEqual(left(work), ["mine.tmp"])
    })
  )

  it.effect("that is in use is not removed by a write beside it", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work, owner: "mine" })
      const go = yield* Deferred.make<void>()
      const written = yield* Deferred.make<void>()
      const wait = () => Effect.andThen(Deferred.succeed(written, undefined), Deferred.await(go))
      const first = yield* Effect.forkChild(fs.writeAtomic(at("work/a.txt"), encode("one"), wait))
      yield* Deferred.await(written)
      yield* fs.writeAtomic(at("work/b.txt"), encode("two"))
      yield* fs.tidy(at("work/a.txt"))
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(first)
      assert.strictEqual(NFS.readFileSync(at("work/a.txt"), "utf8"), "one")
      assert.deepStrictEqual(left(work), [])
    })
  )

  it.effect("that is made while the directory is being looked through is not taken for one that was left", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const looking = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const slow = Effect.map(FileSystem.FileSystem, (fs) =>
        FileSystem.make({
          ...fs,
          readDirectory: (path) =>
            Deferred.succeed(looking, undefined).pipe(
              Effect.andThen(Deferred.await(go)),
              Effect.andThen(fs.readDirectory(path))
            )
        })
      )
      const rules = Effect.succeed({ allow: [write(work)], deny: [] })
      const fs = yield* ScopedFs.make({ cwd: work, rules, owner: "mine" }).pipe(
        Effect.provideServiceEffect(FileSystem.FileSystem, slow),
        Effect.provide(Layer.merge(Files.layer, OpenerLive.layer))
      )
      const first = yield* Effect.forkChild(fs.tidy(at("work/a.txt")))
      yield* Deferred.await(looking)
      const finish = () => Effect.andThen(Deferred.succeed(go, undefined), Effect.ignore(Fiber.join(first)))
      yield* fs.writeAtomic(at("work/b.txt"), encode("two"), finish)
      assert.strictEqual(NFS.readFileSync(at("work/b.txt"), "utf8"), "two")
      assert.deepStrictEqual(left(work), [])
    })
  )
})
