/** A disk that does not answer costs its operation, and not the pod. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"
import * as NFS from "node:fs"
import { encode } from "../../src/scope/Text.ts"
import { gated } from "./gated.ts"
import { read, refused, text } from "./support.ts"

describe("a disk that does not answer", () => {
  it.effect("fails what was asked of it after a minute, with a reason; the rest of the disk goes on", () =>
    Effect.gen(function* () {
      const { asked, at, fs, open } = yield* gated
      const slow = at("work/sub/b.txt")
      const reading = yield* Effect.forkChild(refused(fs.readBytes(slow, 100)))
      yield* asked
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(text((yield* fs.readBytes(at("work/a.txt"), 100)).bytes), "alpha\n")
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(reading)
      assert.strictEqual(error.reason, "TimedOut")
      assert.include(error.message, `${slow} could not be read: its disk has not answered within 60 seconds`)
      yield* open
      assert.strictEqual(text((yield* fs.readBytes(slow, 100)).bytes), "beta\n")
    })
  )

  it.effect("holds two places at most: what else is asked for fails in time too, and comes back when it does", () =>
    Effect.gen(function* () {
      const { asked, at, count, fs, open } = yield* gated
      const lost = yield* Effect.forkChild(
        Effect.forEach([1, 2, 3, 4], () => refused(fs.readBytes(at("work/sub/b.txt"), 100)), {
          concurrency: "unbounded"
        })
      )
      yield* asked
      yield* asked
      const other = yield* Effect.forkChild(refused(fs.readBytes(at("work/a.txt"), 100)))
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(lost)).map(({ reason }) => reason),
        ["TimedOut", "TimedOut", "TimedOut", "TimedOut"]
      )
      assert.strictEqual((yield* Fiber.join(other)).reason, "TimedOut")
      assert.strictEqual(count(), 2)
      yield* open
      assert.strictEqual(text((yield* fs.readBytes(at("work/a.txt"), 100)).bytes), "alpha\n")
      assert.strictEqual(text((yield* fs.readBytes(at("work/sub/b.txt"), 100)).bytes), "beta\n")
    })
  )

  it.effect("leaves it open whether a file was written, and says so", () =>
    Effect.gen(function* () {
      const { asked, at, fs, open } = yield* gated
      const writing = yield* Effect.forkChild(refused(fs.writeAtomic(at("work/sub/b.txt"), encode("new"))))
      yield* asked
      yield* TestClock.adjust("60 seconds")
      assert.include((yield* Fiber.join(writing)).message, "Whether it was written is not known")
      yield* open
      yield* fs.writeAtomic(at("work/sub/b.txt"), encode("newer"))
      assert.strictEqual(NFS.readFileSync(at("work/sub/b.txt"), "utf8"), "newer")
    })
  )

  it.effect("keeps nobody who stops waiting for longer than that", () =>
    Effect.gen(function* () {
      const { asked, at, fs, open } = yield* gated
      const reading = yield* Effect.forkChild(fs.readBytes(at("work/sub/b.txt"), 100))
      yield* asked
      const stopped = yield* Effect.forkChild(Fiber.interrupt(reading))
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.join(stopped)
      yield* open
    })
  )

  it.effect("holds up what asks for the scope no longer, where the scope names places on it", () =>
    Effect.gen(function* () {
      const { asked, at, fs, narrow, open } = yield* gated
      yield* narrow(read(at("work/sub")))
      const looking = yield* Effect.forkChild(refused(fs.snapshot))
      yield* asked
      yield* TestClock.adjust("60 seconds")
      const error = yield* Fiber.join(looking)
      assert.strictEqual(error.reason, "TimedOut")
      assert.include(error.message, "A place that the scope names could not be looked at")
      yield* open
      assert.isNotEmpty((yield* fs.snapshot).denied)
    })
  )

  it.effect("does not keep back a scope that is known", () =>
    Effect.gen(function* () {
      const { asked, at, fs, open } = yield* gated
      const lost = yield* Effect.forkChild(
        Effect.forEach([1, 2], () => refused(fs.readBytes(at("work/sub/b.txt"), 100)), { concurrency: "unbounded" })
      )
      yield* asked
      yield* asked
      assert.isNotEmpty((yield* fs.snapshot).rules.allow)
      yield* open
      yield* Fiber.interrupt(lost)
    })
  )
})
