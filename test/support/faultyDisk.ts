/** A disk that can be full, stand still, or be broken in a way that nobody foresaw. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { SegmentFile } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"

const noSpace = (path: string) =>
  new StorageError({ reason: "Io", operation: "append", path, message: "no space left", code: "ENOSPC" })

export const faultyDisk = () => {
  let mode: "fine" | "full" | "still" | "broken" = "fine"
  const asked = Deferred.makeUnsafe<void>()
  const gate = Deferred.makeUnsafe<void>()
  return {
    set: (next: typeof mode) => {
      mode = next
    },
    /** Something waits for the disk that stands still. */
    asked: Deferred.await(asked),
    /** What stood still goes on, and everything after it. */
    go: Effect.suspend(() => {
      mode = "fine"
      return Deferred.succeed(gate, undefined)
    }),
    wrap: (file: SegmentFile): SegmentFile => ({
      ...file,
      append: (bytes, options) => {
        switch (mode) {
          case "fine":
            return file.append(bytes, options)
          case "full":
            return Effect.fail(noSpace(file.path))
          case "still":
            return Deferred.succeed(asked, undefined).pipe(
              Effect.andThen(Deferred.await(gate)),
              Effect.andThen(file.append(bytes, options))
            )
          case "broken":
            return Effect.die(new Error("a defect of the store"))
        }
      }
    })
  }
}
