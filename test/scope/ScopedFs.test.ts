import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import * as NFS from "node:fs"
import { fill, MiB, read, refused, scoped, text, world, write } from "./support.ts"

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

  it.effect("refuses a working directory outside of the scope, and says that it is the working directory", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      const error = yield* refused(scoped({ cwd: at("outside"), allow: [write(work)] }))
      assert.strictEqual(error.reason, "OutOfScope")
      assert.include(error.message, `The working directory: ${at("outside")} is outside`)
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
      assert.strictEqual((yield* refused(fs.readBytes(`${work}/door/../secret.txt`, MiB))).reason, "OutOfScope")
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

  it.effect("the file for another one of the scope: that one is read, whole", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      fill(work, { "other.txt": "other" })
      const swap = () => NFS.renameSync(at("work/other.txt"), at("work/sub/b.txt"))
      const { fs } = yield* scoped({ cwd: work, beforeOpen: (path) => path.endsWith("b.txt") && swap() })
      assert.strictEqual(text((yield* fs.readBytes(at("work/sub/b.txt"), MiB)).bytes), "other")
    })
  )

  it.effect("the file for a named pipe that nobody writes into", () =>
    Effect.gen(function* () {
      const error = yield* attempt((at) => {
        NFS.rmSync(at("work/sub/b.txt"))
        execFileSync("mkfifo", [at("work/sub/b.txt")])
      })
      assert.strictEqual(error.reason, "NotRegular")
    })
  )

  it.effect("its directory for a link, and back again before anybody looks", () =>
    Effect.gen(function* () {
      const { at, work } = yield* world
      fill(at("outside"), { "b.txt": "secret" })
      const { fs } = yield* scoped({
        cwd: work,
        // The swap is there for the look at the file and for the open, and gone for every look after that.
        afterRealPath: (path) => {
          if (!path.endsWith("/b.txt") || NFS.existsSync(at("work/moved"))) return
          NFS.renameSync(at("work/sub"), at("work/moved"))
          NFS.symlinkSync(at("outside"), at("work/sub"))
        },
        afterOpen: (path) => {
          if (!path.endsWith("/b.txt")) return
          NFS.rmSync(at("work/sub"))
          NFS.renameSync(at("work/moved"), at("work/sub"))
        }
      })
      const error = yield* refused(fs.readBytes(at("work/sub/b.txt"), MiB))
      assert.include(error.message, "replaced while it was being opened")
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
      assert.strictEqual((yield* fs.directory(at("work/dirlink/inner"))).real, at("work/sub/inner"))
      assert.strictEqual((yield* refused(fs.directory(at("work/a.txt")))).reason, "NotDirectory")
      assert.strictEqual((yield* refused(fs.directory(at("work/none")))).reason, "NotFound")
    })
  )
})
