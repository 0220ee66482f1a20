/** Whether a connection counts as somebody who can answer an approval. It says so with each `hello`. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { PodHandle } from "../pod/PodHandle.ts"

/** Ends with the connection's Scope. */
export const make = Effect.fnUntraced(function* ({
  attendApprovals
}: Pick<PodHandle, "attendApprovals">): Effect.fn.Return<
  (isThere: boolean) => Effect.Effect<void>,
  never,
  Scope.Scope
> {
  const owner = yield* Effect.scope
  let current: Scope.Closeable | undefined
  return (isThere) =>
    Effect.suspend(() => {
      if (isThere === (current !== undefined)) return Effect.void
      if (!isThere) {
        const left = current
        current = undefined
        return left === undefined ? Effect.void : Scope.close(left, Exit.void)
      }
      return Effect.flatMap(Scope.fork(owner), (scope) => {
        current = scope
        return Scope.provide(attendApprovals, scope)
      })
    }).pipe(Effect.uninterruptible)
})
