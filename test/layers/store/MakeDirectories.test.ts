import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { makeDirectories } from "../../../layers/store/MakeDirectories.ts"
import { modeOf, tempDir } from "./TempDir.ts"

const codeOf = (path: string) =>
  Effect.promise(() =>
    makeDirectories(path).then(
      () => "made",
      (cause: NodeJS.ErrnoException) => cause.code
    )
  )

describe("makeDirectories", () => {
  it.effect("makes what is missing, private, and says where it began", () =>
    Effect.gen(function* () {
      const root = yield* tempDir
      const top = Path.join(root, "a")
      const deep = Path.join(top, "b", "c")
      assert.strictEqual(yield* Effect.promise(() => makeDirectories(deep)), top)
      assert.deepStrictEqual([top, deep].map(modeOf), [0o700, 0o700])
      assert.isUndefined(yield* Effect.promise(() => makeDirectories(deep)))
      assert.strictEqual(yield* Effect.promise(() => makeDirectories(`${deep}2`)), `${deep}2`)
    }).pipe(Effect.scoped)
  )

  it.effect("may be called by many at once", () =>
    Effect.gen(function* () {
      const deep = Path.join(yield* tempDir, "a", "b", "c")
      yield* Effect.promise(() => Promise.all(Array.from({ length: 8 }, () => makeDirectories(deep))))
      assert.isTrue(Fs.statSync(deep).isDirectory())
    }).pipe(Effect.scoped)
  )

  it.effect("fails where there is a file, and returns from where no name can be made", () =>
    Effect.gen(function* () {
      const file = Path.join(yield* tempDir, "file")
      Fs.writeFileSync(file, "")
      assert.strictEqual(yield* codeOf(file), "EEXIST")
      assert.strictEqual(yield* codeOf(Path.join(file, "a", "b")), "ENOTDIR")
      if (Fs.existsSync("/proc/self")) assert.strictEqual(yield* codeOf("/proc/nowhere/at/all"), "ENOENT")
    }).pipe(Effect.scoped)
  )
})
