import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as NFS from "node:fs"
import { MiB, read, refused, scoped, text, world, write } from "./support.ts"

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
