/** One lock file, and what it is like when no lock can be tried. What locks it is in `LeaseLocks.ts`. */
import * as Fs from "node:fs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { describeSystemError } from "../store/SystemError.ts"

/** An open lock file. The lock goes with the Scope in which it was opened. */
export interface LockFile {
  readonly path: string
  readonly fd: number
  readonly scope: Scope.Scope
}

/** No lock could be tried. */
export class LockFailed extends Data.TaggedError("LockFailed")<{ readonly message: string }> {}

export const openLockFile = (path: string): Effect.Effect<LockFile, LockFailed, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(
      Effect.acquireRelease(
        Effect.try({
          try: () => Fs.openSync(path, Fs.constants.O_RDWR | Fs.constants.O_CREAT | Fs.constants.O_NOFOLLOW, 0o600),
          catch: (cause) => new LockFailed({ message: `cannot open the lock ${path}: ${describeSystemError(cause)}` })
        }),
        (fd) => Effect.sync(() => Fs.closeSync(fd))
      ),
      (fd) => ({ path, fd, scope })
    )
  )
