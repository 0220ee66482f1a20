/** Root may read and write everything: as root, somebody else does it. */
import * as Effect from "effect/Effect"

const nobody = 65_534

export const unprivileged = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  process.geteuid?.() === 0
    ? Effect.acquireUseRelease(
        Effect.sync(() => process.seteuid?.(nobody)),
        () => effect,
        () => Effect.sync(() => process.seteuid?.(0))
      )
    : effect
