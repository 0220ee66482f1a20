import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import * as Path from "node:path"
import type { ScopeError } from "../../src/scope/ScopeError.ts"
import { encode } from "../../src/scope/Text.ts"
import { fill, read, scoped, tempDir, write } from "./support.ts"

const MiB = 1024 * 1024
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** A work directory beside one that is out of scope. */
const world = Effect.gen(function* () {
  const root = yield* tempDir
  fill(root, { "work/a.txt": "alpha\n", "work/sub/b.txt": "beta\n", "outside/secret.txt": "secret\n" })
  return {
    work: Path.join(root, "work"),
    outside: Path.join(root, "outside"),
    at: (name: string) => Path.join(root, name)
  }
})

const refused = Effect.fnUntraced(function* <A, R>(effect: Effect.Effect<A, ScopeError, R>) {
  return yield* Effect.flip(effect)
})

describe("reading", () => {
  it.effect("returns the bytes of a file in scope under its real path", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("work/a.txt"), at("work/link"))
      NFS.symlinkSync(at("work/sub"), at("work/dir"))
      const { fs } = yield* scoped({ cwd: work })
      for (const name of ["work/a.txt", "work/link", "work//./a.txt", "work/sub/../a.txt"]) {
        const { bytes, real } = yield* fs.readBytes(`${at("")}/${name}`, MiB)
        assert.strictEqual(text(bytes), "alpha\n")
        assert.strictEqual(real, at("work/a.txt"))
      }
      assert.strictEqual((yield* fs.readBytes(at("work/dir/b.txt"), MiB)).real, at("work/sub/b.txt"))
    })
  )

  it.effect("refuses relative paths and proposes the absolute one", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      const error = yield* refused(fs.readBytes("sub/b.txt", MiB))
      assert.strictEqual(error.reason, "NotAbsolute")
      assert.include(error.message, at("work/sub/b.txt"))
      assert.strictEqual((yield* refused(fs.readBytes("", MiB))).reason, "NotAbsolute")
    })
  )

  it.effect("tells a missing file from one out of scope only within the scope", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      assert.strictEqual((yield* refused(fs.readBytes(at("work/none.txt"), MiB))).reason, "NotFound")
      const there = yield* refused(fs.readBytes(at("outside/secret.txt"), MiB))
      const missing = yield* refused(fs.readBytes(at("outside/none.txt"), MiB))
      assert.strictEqual(there.reason, "OutOfScope")
      assert.strictEqual(missing.reason, "OutOfScope")
      assert.strictEqual(there.message.replace("secret", "none"), missing.message)
      assert.include(there.message, work)
    })
  )

  it.effect("follows `..` as the kernel does, and not as text", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("outside"), at("work/door"))
      fill(at(""), { "secret.txt": "not yours", "work/secret.txt": "decoy" })
      const { fs } = yield* scoped({ cwd: work })
      // As text this is work/secret.txt; the kernel goes through the link and up from there.
      assert.strictEqual((yield* refused(fs.readBytes(`${work}/door/../secret.txt`, MiB))).reason, "LinkOutOfScope")
      const nowhere = yield* refused(fs.readBytes(`${work}/none/../a.txt`, MiB))
      assert.strictEqual(nowhere.reason, "OutOfScope")
      assert.strictEqual((yield* refused(fs.readBytes(`${work}/a.txt/../a.txt`, MiB))).reason, "OutOfScope")
      assert.strictEqual(
        (yield* refused(fs.readBytes(`${work}/sub/../../outside/secret.txt`, MiB))).reason,
        "OutOfScope"
      )
    })
  )

  it.effect("names a link that leads out of scope, but not from a directory that may not be read", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("outside/secret.txt"), at("work/leak"))
      NFS.symlinkSync(at("outside/secret.txt"), at("outside/inner"))
      NFS.symlinkSync(at("outside/inner"), at("work/chain"))
      const { fs } = yield* scoped({ cwd: work })
      const direct = yield* refused(fs.readBytes(at("work/leak"), MiB))
      assert.strictEqual(direct.reason, "LinkOutOfScope")
      assert.include(direct.message, `${at("work/leak")} -> ${at("outside/secret.txt")}`)
      const chained = yield* refused(fs.readBytes(at("work/chain"), MiB))
      assert.include(chained.message, at("outside/inner"))
      assert.notInclude(chained.message, "secret.txt")
      const hidden = yield* refused(fs.readBytes(at("outside/inner"), MiB))
      assert.strictEqual(hidden.reason, "OutOfScope")
      assert.notInclude(hidden.message, "secret.txt")
    })
  )

  it.effect("explains the link that leads out, even behind one that does not", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("work/sub"), at("work/good"))
      NFS.symlinkSync(at("outside"), at("work/sub/bad"))
      const { fs } = yield* scoped({ cwd: work })
      const error = yield* refused(fs.readBytes(at("work/good/bad/secret.txt"), MiB))
      assert.strictEqual(error.reason, "LinkOutOfScope")
      assert.include(error.message, at("work/sub/bad"))
    })
  )

  it.effect("calls a broken link broken where it may be seen", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync("gone", at("work/broken"))
      NFS.symlinkSync("gone", at("outside/broken"))
      const { fs } = yield* scoped({ cwd: work })
      const error = yield* refused(fs.readBytes(at("work/broken"), MiB))
      assert.strictEqual(error.reason, "BrokenLink")
      assert.include(error.message, "gone")
      const outside = yield* refused(fs.readBytes(at("outside/broken"), MiB))
      assert.strictEqual(outside.reason, "OutOfScope")
      assert.notInclude(outside.message, "gone")
    })
  )

  it.effect("refuses circles of links, directories, named pipes, devices and NUL", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("work/one"), at("work/two"))
      NFS.symlinkSync(at("work/two"), at("work/one"))
      execFileSync("mkfifo", [at("work/pipe")])
      const { fs } = yield* scoped({ cwd: work, allow: [write(work), read("/dev", false)] })
      assert.include((yield* refused(fs.readBytes(at("work/one"), MiB))).message, "circle")
      assert.strictEqual((yield* refused(fs.readBytes(at("work/sub"), MiB))).reason, "IsDirectory")
      const pipe = yield* refused(fs.readBytes(at("work/pipe"), MiB))
      assert.strictEqual(pipe.reason, "NotRegular")
      assert.include(pipe.message, "FIFO")
      assert.strictEqual((yield* refused(fs.readBytes("/dev/zero", MiB))).reason, "NotRegular")
      assert.strictEqual((yield* refused(fs.readBytes(`${work}/a\0.txt`, MiB))).reason, "OutOfScope")
      assert.include((yield* refused(fs.readBytes(`${work}/a.txt/b`, MiB))).message, "not a directory")
    })
  )

  it.effect("loads nothing above the limit, and files without a size to their end", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      fill(work, { "ten.txt": "0123456789" })
      const { fs } = yield* scoped({ cwd: work, allow: [write(work), read("/proc")] })
      assert.strictEqual(text((yield* fs.readBytes(at("work/ten.txt"), 10)).bytes), "0123456789")
      assert.strictEqual((yield* refused(fs.readBytes(at("work/ten.txt"), 9))).reason, "TooLarge")
      const mounts = NFS.readFileSync("/proc/filesystems")
      assert.strictEqual(text((yield* fs.readBytes("/proc/filesystems", MiB)).bytes), text(mounts))
      assert.strictEqual((yield* refused(fs.readBytes("/proc/filesystems", 10))).reason, "TooLarge")
    })
  )
})

describe("somebody swaps what was checked", () => {
  const attempt = Effect.fnUntraced(function* (swap: (at: (name: string) => string) => void) {
    const { at, work } = yield* world
    const { fs } = yield* scoped({ cwd: work, beforeOpen: (path) => path.endsWith("b.txt") && swap(at) })
    return yield* refused(fs.readBytes(at("work/sub/b.txt"), MiB))
  })

  it.effect("the file for a link", () =>
    Effect.gen(function* () {
      const error = yield* attempt((at) => {
        NFS.rmSync(at("work/sub/b.txt"))
        NFS.symlinkSync(at("outside/secret.txt"), at("work/sub/b.txt"))
      })
      assert.strictEqual(error.reason, "Failed")
    })
  )

  it.effect("its directory for a link", () =>
    Effect.gen(function* () {
      const error = yield* attempt((at) => {
        fill(at("outside"), { "b.txt": "secret" })
        NFS.renameSync(at("work/sub"), at("work/moved"))
        NFS.symlinkSync(at("outside"), at("work/sub"))
      })
      assert.include(error.message, "replaced while it was being opened")
    })
  )

  it.effect("its directory for a link that holds the same file", () =>
    Effect.gen(function* () {
      const error = yield* attempt((at) => {
        NFS.renameSync(at("work/sub"), at("outside/sub"))
        NFS.symlinkSync(at("outside/sub"), at("work/sub"))
      })
      assert.include(error.message, "replaced while it was being opened")
    })
  )

  it.effect("the file for another one", () =>
    Effect.gen(function* () {
      const error = yield* attempt((at) => {
        fill(at("work"), { "other.txt": "other" })
        NFS.renameSync(at("work/other.txt"), at("work/sub/b.txt"))
      })
      assert.include(error.message, "replaced while it was being opened")
    })
  )
})

describe("the scope is live", () => {
  it.effect("a narrowed scope is felt by the next call", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs, rules } = yield* scoped({ cwd: work })
      yield* fs.readBytes(at("work/sub/b.txt"), MiB)
      yield* Ref.set(rules, { allow: [write(work)], deny: [read(at("work/sub"))] })
      assert.strictEqual((yield* refused(fs.readBytes(at("work/sub/b.txt"), MiB))).reason, "OutOfScope")
      yield* Ref.set(rules, { allow: [write(work)], deny: [write(at("work/sub"))] })
      yield* fs.readBytes(at("work/sub/b.txt"), MiB)
      assert.strictEqual((yield* refused(fs.resolveForWrite(at("work/sub/b.txt")))).reason, "ReadOnly")
    })
  )

  it.effect("a deny follows its path when that becomes a link, an allow does not", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const allow = [write(work), read(at("later"))]
      const { fs } = yield* scoped({ cwd: work, allow, deny: [read(at("work/private"))] })
      yield* fs.readBytes(at("work/sub/b.txt"), MiB)
      NFS.symlinkSync(at("work/sub"), at("work/private"))
      NFS.symlinkSync(at("outside"), at("later"))
      assert.strictEqual((yield* refused(fs.readBytes(at("work/sub/b.txt"), MiB))).reason, "OutOfScope")
      yield* refused(fs.readBytes(at("work/private/b.txt"), MiB))
      yield* refused(fs.readBytes(at("later/secret.txt"), MiB))
    })
  )

  it.effect("a rule on a link means what it points to", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      NFS.symlinkSync(at("outside"), at("alias"))
      const { fs } = yield* scoped({ cwd: work, allow: [write(work), read(at("alias"))] })
      assert.strictEqual(text((yield* fs.readBytes(at("outside/secret.txt"), MiB)).bytes), "secret\n")
    })
  )

  it.effect("the pod's own directories may be read besides, and never written", () =>
    Effect.gen(function* () {
      const { at, outside, work } = yield* world
      const { fs } = yield* scoped({ cwd: work, readable: [outside] })
      assert.strictEqual(text((yield* fs.readBytes(at("outside/secret.txt"), MiB)).bytes), "secret\n")
      assert.strictEqual((yield* refused(fs.resolveForWrite(at("outside/x")))).reason, "ReadOnly")
    })
  )

  it.effect("a working directory that is missing or may not be read is refused at once", () =>
    Effect.gen(function* () {
      const { at, outside, work } = yield* world
      assert.strictEqual((yield* refused(scoped({ cwd: outside, allow: [write(work)] }))).reason, "OutOfScope")
      assert.strictEqual((yield* refused(scoped({ cwd: at("work/none"), allow: [write(work)] }))).reason, "NotFound")
    })
  )
})

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
        created: false
      })
      const after = NFS.statSync(at("work/a.txt"))
      assert.strictEqual(NFS.readFileSync(at("work/a.txt"), "utf8"), "new")
      assert.strictEqual(after.mode & 0o7777, 0o751)
      assert.strictEqual(after.uid, owner)
      assert.notStrictEqual(after.ino, inode)
      assert.deepStrictEqual(leftovers(work), [])
    })
  )

  it.effect("creates with the mode that the umask leaves, and missing directories with it", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const { fs } = yield* scoped({ cwd: work })
      const target = at("work/new/deep/c.txt")
      assert.deepStrictEqual(yield* fs.writeAtomic(target, encode("")), { real: target, created: true })
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
      assert.strictEqual(yield* reason(at("work/broken")), "BrokenLink")
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

describe("directories", () => {
  it.effect("are listed readable entries only: directories, links, the rest", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      fill(work, { ".hidden": "", "z/": "", "private/": "" })
      NFS.symlinkSync("sub", at("work/dirlink"))
      NFS.symlinkSync(at("outside"), at("work/leak"))
      NFS.symlinkSync("gone", at("work/broken"))
      const { fs } = yield* scoped({ cwd: work, deny: [read(at("work/private"))] })
      assert.deepStrictEqual(
        (yield* fs.list(work)).map(({ kind, name }) => `${kind} ${name}`),
        ["directory sub", "directory z", "link dirlink", "file .hidden", "file a.txt"]
      )
    })
  )

  it.effect("are refused as a base when they are links themselves, and not when one is in the middle", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      fill(work, { "sub/inner/": "" })
      NFS.symlinkSync("sub", at("work/dirlink"))
      const { fs } = yield* scoped({ cwd: work })
      const error = yield* refused(fs.directory(at("work/dirlink")))
      assert.strictEqual(error.reason, "LinkToDirectory")
      assert.include(error.message, at("work/sub"))
      assert.strictEqual(yield* fs.directory(at("work/dirlink/inner")), at("work/sub/inner"))
      assert.strictEqual((yield* refused(fs.directory(at("work/a.txt")))).reason, "NotDirectory")
      assert.strictEqual((yield* refused(fs.directory(at("work/none")))).reason, "NotFound")
    })
  )
})
