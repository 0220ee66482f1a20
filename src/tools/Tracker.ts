/**
 * What the model has seen of each file, so that it changes nothing that it does not know.
 *
 * One per pod, shared by Read, Write and Edit, never stored: after a restart every file must be read again. A file is
 * known by its real path and the hash of its whole content. It also keeps changes of one real path apart: two calls
 * that name a file differently still take turns.
 */
import * as Digest from "effect/crypto/Digest"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { failed, invalid } from "./Failure.ts"
import type { ToolError } from "./Tool.ts"

export interface Tracker {
  /** The model has seen, or written, this content. */
  readonly record: (real: string, bytes: Uint8Array) => Effect.Effect<void>
  /** Fails unless `bytes` are what the model saw last. `path` is the name for messages. */
  readonly verify: (path: string, real: string, bytes: Uint8Array) => Effect.Effect<void, ToolError>
  /** One at a time for one real path. */
  readonly exclusively: (real: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Above this the file that was seen longest ago is forgotten, and must be read again. */
const maxFiles = 10_000

export const make: Effect.Effect<Tracker, never, Digest.Digest> = Effect.gen(function* () {
  const { digestHex } = yield* Digest.Digest
  const seen = new Map<string, string>()
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
    record: (real, bytes) =>
      Effect.map(digestHex(Digest.sha256, bytes), (hash) => {
        seen.delete(real)
        seen.set(real, hash)
        const [oldest] = seen.keys()
        if (seen.size > maxFiles && oldest !== undefined) seen.delete(oldest)
      }),
    verify: Effect.fnUntraced(function* (path, real, bytes) {
      const hash = seen.get(real)
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
