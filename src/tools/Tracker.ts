/**
 * Keeps the model from changing what it does not know: a file may be changed when the conversation shows it as it is now.
 *
 * A file is known by its real path and the hash of its whole content. What was seen goes into the result of the call, so
 * that it is known as long as that result is part of the conversation: after a restart, and not behind a rewind that took
 * it away. It also keeps changes of one real path apart: two calls that name a file differently still take turns.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { SeenFile } from "../protocol/SeenFile.ts"
import { failed, invalid } from "./Failure.ts"
import type { KnownFiles } from "./KnownFiles.ts"
import type { ToolError } from "./Tool.ts"

export interface Tracker {
  /** The model sees, or has written, this content: for the result of the call. Calls beside it know of it at once. */
  readonly record: (known: KnownFiles, real: string, bytes: Uint8Array) => Effect.Effect<SeenFile>
  /** Fails unless `bytes` are what the model saw last. `path` is the name for messages. */
  readonly verify: (known: KnownFiles, path: string, real: string, bytes: Uint8Array) => Effect.Effect<void, ToolError>
  /** One at a time for one real path. */
  readonly exclusively: (real: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make: Effect.Effect<Tracker, never, Digest.Digest> = Effect.gen(function* () {
  const { digestHex } = yield* Digest.Digest
  const turns = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()

  const enter = (real: string) =>
    Effect.sync(() => {
      const turn = turns.get(real) ?? { semaphore: Semaphore.makeUnsafe(1), users: 0 }
      turn.users++
      turns.set(real, turn)
      return turn
    })
  const leave = (real: string) =>
    Effect.sync(() => {
      const turn = turns.get(real)
      if (turn !== undefined && --turn.users === 0) turns.delete(real)
    })

  return {
    record: (known, path, bytes) =>
      Effect.map(digestHex(Digest.sha256, bytes), (sha256) => {
        known.add({ path, sha256 })
        return { path, sha256 }
      }),
    verify: Effect.fnUntraced(function* (known, path, real, bytes) {
      const hash = known.get(real)
      if (hash === undefined) {
        return yield* invalid(`${path} has not been read yet in this conversation: Read it first, then change it.`)
      }
      if ((yield* digestHex(Digest.sha256, bytes)) !== hash) {
        return yield* failed(`${path} has changed since it was last read: Read it again, then change it.`)
      }
    }),
    exclusively: (real) => (effect) =>
      Effect.acquireUseRelease(
        enter(real),
        (turn) => turn.semaphore.withPermits(1)(effect),
        () => leave(real)
      )
  }
})
