import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as NFS from "node:fs"
import { encode } from "../../src/scope/Text.ts"
import { refused, scoped, world, write } from "./support.ts"

describe("writing", () => {
  const leftovers = (directory: string) => NFS.readdirSync(directory).filter((name) => name.includes(".tmp"))

  it.effect("replaces in one step and keeps mode and owner of the old file", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.chmodSync(at("work/a.txt"), 0o751)
      const owner = process.getuid?.() === 0 ? 12_345 : NFS.statSync(at("work/a.txt")).uid
      NFS.chownSync(at("work/a.txt"), owner, NFS.statSync(at("work/a.txt")).gid)
      const inode = NFS.statSync(at("work/a.txt")).ino
      const { fs } = yield* scoped({ cwd: work })
      assert.deepStrictEqual(yield* fs.writeAtomic(at("work/a.txt"), encode("new")), {
        real: at("work/a.txt"),
        created: false,
        links: 1
      })
      const after = NFS.statSync(at("work/a.txt"))
      assert.strictEqual(NFS.readFileSync(at("work/a.txt"), "utf8"), "new")
      assert.strictEqual(after.mode & 0o7777, 0o751)
      assert.strictEqual(after.uid, owner)
      assert.notStrictEqual(after.ino, inode)
      assert.deepStrictEqual(leftovers(work), [])
    })
  )

  it.effect.skipIf(process.getuid?.() !== 0)("gives another group no more than everybody has", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      for (const directory of [at("."), work]) NFS.chmodSync(directory, 0o777)
      NFS.chownSync(at("work/a.txt"), 0, 12_345)
      NFS.chmodSync(at("work/a.txt"), 0o764)
      const { fs } = yield* scoped({ cwd: work })
      yield* Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(65_534)),
        () => fs.writeAtomic(at("work/a.txt"), encode("new")),
        () => Effect.sync(() => process.seteuid?.(0))
      )
      const after = NFS.statSync(at("work/a.txt"))
      assert.strictEqual(after.uid, 65_534)
      assert.notStrictEqual(after.gid, 12_345)
      assert.strictEqual(after.mode & 0o7777, 0o744)
    })
  )

  it.effect("creates with the mode that the umask leaves, and missing directories with it", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      const target = at("work/new/deep/c.txt")
      assert.deepStrictEqual(yield* fs.writeAtomic(target, encode("")), { real: target, created: true, links: 0 })
      assert.strictEqual(NFS.statSync(target).mode & 0o777, 0o666 & ~process.umask())
      assert.strictEqual(NFS.statSync(target).size, 0)
    })
  )

  it.effect("leaves a link a link and replaces its target", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync("sub/b.txt", at("work/link"))
      const { fs } = yield* scoped({ cwd: work })
      yield* fs.writeAtomic(at("work/link"), encode("through"))
      assert.strictEqual(NFS.readlinkSync(at("work/link")), "sub/b.txt")
      assert.strictEqual(NFS.readFileSync(at("work/sub/b.txt"), "utf8"), "through")
    })
  )

  it.effect("refuses what is read-only, out of scope, a directory, a broken link or a link out", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("outside/none.txt"), at("work/broken"))
      NFS.symlinkSync(at("outside"), at("work/door"))
      const { fs } = yield* scoped({ cwd: work, deny: [write(at("work/sub"))] })
      const reason = (path: string) => Effect.map(refused(fs.writeAtomic(path, encode("x"))), (error) => error.reason)
      assert.strictEqual(yield* reason(at("work/sub/b.txt")), "ReadOnly")
      assert.strictEqual(yield* reason(at("work/sub/new.txt")), "ReadOnly")
      assert.strictEqual(yield* reason(at("outside/secret.txt")), "OutOfScope")
      assert.strictEqual(yield* reason(at("outside/new.txt")), "OutOfScope")
      assert.strictEqual(yield* reason(work), "IsDirectory")
      assert.strictEqual(yield* reason(at("work/broken")), "LinkOutOfScope")
      assert.strictEqual(yield* reason(at("work/door/new.txt")), "LinkOutOfScope")
      assert.strictEqual(yield* reason("new.txt"), "NotAbsolute")
      assert.deepStrictEqual(NFS.readdirSync(at("outside")), ["secret.txt"])
    })
  )

  it.effect("leaves the old content when the last check fails or the write is interrupted", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      const target = at("work/a.txt")
      assert.strictEqual(
        yield* Effect.flip(fs.writeAtomic(target, encode("x"), () => Effect.fail("no" as const))),
        "no"
      )
      const reached = yield* Deferred.make<void>()
      const writing = yield* Effect.forkChild(
        fs.writeAtomic(target, encode("y"), () => Effect.andThen(Deferred.succeed(reached, undefined), Effect.never))
      )
      yield* Deferred.await(reached)
      assert.strictEqual(leftovers(work).length, 1)
      yield* Fiber.interrupt(writing)
      assert.strictEqual(NFS.readFileSync(target, "utf8"), "alpha\n")
      assert.deepStrictEqual(leftovers(work), [])
    })
  )

  it.effect("notices that its directory was swapped for a link before the rename", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      const swap = Effect.sync(() => {
        NFS.renameSync(at("work/sub"), at("work/moved"))
        NFS.symlinkSync(at("outside"), at("work/sub"))
      })
      const error = yield* refused(fs.writeAtomic(at("work/sub/secret.txt"), encode("x"), () => swap))
      assert.strictEqual(error.reason, "Failed")
      assert.strictEqual(NFS.readFileSync(at("outside/secret.txt"), "utf8"), "secret\n")
    })
  )
})
