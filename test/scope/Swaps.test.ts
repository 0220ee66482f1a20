/**
 * Links are swapped in a loop against Read and Write. What stops it: what was opened is asked by its handle where it
 * is, and what is written goes into the directory that was checked, whatever its name leads to meanwhile.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NFS from "node:fs"
import * as Path from "node:path"
import { encode } from "../../src/scope/Text.ts"
import { swapper } from "./swapping.ts"
import { fill, MiB, scoped, tempDir, text } from "./support.ts"

const rounds = 10_000

/** Where a sync costs nothing, if there is such a place. */
const memory = Effect.acquireRelease(
  Effect.sync(() => NFS.realpathSync(NFS.mkdtempSync("/dev/shm/effect-pod-test-"))),
  (path) => Effect.sync(() => NFS.rmSync(path, { recursive: true, force: true }))
)
const place = NFS.existsSync("/dev/shm") ? memory : tempDir

const arena = Effect.gen(function* () {
  const root = yield* place
  fill(root, { "work/sub/b.txt": "beta\n", "outside/b.txt": "secret\n" })
  const work = Path.join(root, "work")
  const outside = Path.join(root, "outside")
  const { fs } = yield* scoped({ cwd: work })
  return { fs, outside, target: Path.join(work, "sub/b.txt"), swaps: yield* swapper(work, outside) }
})

describe("links swapped in a loop", () => {
  it.effect(
    "against Read, 10,000 times: each read gives the file's own content or a refusal, and none hangs",
    () =>
      Effect.gen(function* () {
        const { fs, swaps, target } = yield* arena
        const seen = { own: 0, refused: 0 }
        while (swaps() < rounds) {
          const result = yield* Effect.result(fs.readBytes(target, MiB))
          if (result._tag === "Failure") seen.refused++
          else {
            assert.include(["beta\n", ""], text(result.success.bytes))
            seen.own++
          }
        }
        assert.isAbove(seen.own, 0)
        assert.isAbove(seen.refused, 0)
      }),
    120_000
  )

  it.effect(
    "against Write, 10,000 times: nothing outside is changed, and nothing new is there",
    () =>
      Effect.gen(function* () {
        const { fs, outside, swaps, target } = yield* arena
        const seen = { written: 0, refused: 0 }
        while (swaps() < rounds) {
          const result = yield* Effect.result(fs.writeAtomic(target, encode("beta\n")))
          seen[result._tag === "Success" ? "written" : "refused"]++
        }
        assert.isAbove(seen.written, 0)
        assert.isAbove(seen.refused, 0)
        assert.deepStrictEqual(NFS.readdirSync(outside), ["b.txt"])
        assert.strictEqual(NFS.readFileSync(Path.join(outside, "b.txt"), "utf8"), "secret\n")
      }),
    120_000
  )

  it.effect(
    "against Write into directories that are missing: none is made outside",
    () =>
      Effect.gen(function* () {
        const { fs, outside, swaps, target } = yield* arena
        const sub = Path.dirname(target)
        for (let round = 0; swaps() < rounds; round++) {
          yield* Effect.result(fs.writeAtomic(Path.join(sub, `new-${round}/deep/file.txt`), encode("x")))
        }
        assert.deepStrictEqual(NFS.readdirSync(outside), ["b.txt"])
      }),
    120_000
  )
})
