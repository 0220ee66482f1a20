/**
 * Locks on files that the kernel frees when their owner dies and keeps while it is stopped.
 *
 * `flock` where that program is, sockets where it is not. All processes of one machine find the same kind, as they find
 * the same programs; where they do not, the records in the files keep the kinds from passing each other by.
 *
 * A lock file is never unlinked: the next one to come would lock a new file of the same name, and two would each hold
 * "the" lock. They stay, empty, one per name.
 */
import * as Effect from "effect/Effect"
import * as LeaseFlock from "./LeaseFlock.ts"
import type { LockFailed, LockFile } from "./LeaseLockFile.ts"
import type { LeaseRecord } from "./LeaseRecord.ts"
import * as LeaseSocket from "./LeaseSocket.ts"

export interface Locks {
  readonly by: () => LeaseRecord["by"]
  /** Takes the locks in order. Returns the index of the first that somebody else holds; those before it are ours. */
  readonly take: (files: ReadonlyArray<LockFile>) => Effect.Effect<number | undefined, LockFailed>
  /** Which of the locks somebody holds. Files that do not exist are free. Writes nothing. */
  readonly held: (paths: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<boolean>, LockFailed>
}

/** `program` is the name of `flock` on the PATH. */
export const make = (program: string): Locks => {
  const sockets = LeaseSocket.make()
  let missing = false
  return {
    by: () => (missing ? sockets.by : "flock"),
    take: Effect.fnUntraced(function* (files) {
      if (!missing) {
        const taken = yield* LeaseFlock.take(program, files)
        if (taken !== "missing") return taken
        missing = true
      }
      return yield* sockets.take(files)
    }),
    held: Effect.fnUntraced(function* (paths) {
      if (!missing) {
        const held = yield* LeaseFlock.held(program, paths)
        if (held !== "missing") return held
        missing = true
      }
      return yield* sockets.held(paths)
    })
  }
}
