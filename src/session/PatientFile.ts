/**
 * A segment whose store may stand still: an append that takes too long has failed, and stays failed.
 *
 * Nobody can call such a write back. When it comes through after all, what it wrote is taken out again before anything
 * else is appended; until then every append fails at once.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** A store that does not answer for this long has failed. */
const limit = "30 seconds"

/** `owner` owns the writes; it must outlive whoever appends. */
export const make = (file: SegmentFile, owner: Scope.Scope): SegmentFile => {
  let isStuck = false
  const stuck = new StorageError({
    reason: "Io",
    operation: "append",
    path: file.path,
    message: `${file.path}: the store did not answer within ${limit}`,
    hint: "nothing was recorded; look at the disk"
  })

  const takeBack = (write: Fiber.Fiber<void, StorageError>, at: number) =>
    Effect.gen(function* () {
      const exit = yield* Fiber.await(write)
      if (exit._tag === "Success") yield* Effect.ignore(file.cutTail(at))
      isStuck = false
    })

  return {
    ...file,
    append: Effect.fnUntraced(function* (bytes, options) {
      if (isStuck) return yield* stuck
      const write = yield* Effect.forkIn(file.append(bytes, options), owner, { startImmediately: true })
      const exit = yield* Effect.timeoutOption(Effect.interruptible(Fiber.await(write)), limit)
      if (Option.isSome(exit)) return yield* exit.value
      isStuck = true
      yield* Effect.forkIn(takeBack(write, options.at), owner)
      return yield* stuck
    })
  }
}
