/** A memory store, as one process sees it: slow by chance, and gone for good from the moment in which it is killed. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import type * as MemoryStore from "../../layers/store/MemoryStore.ts"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"

export interface MortalStore {
  readonly memory: MemoryStore.MemoryStore
  /** From here on nothing is written, but for this share of the bytes of the write that is under way. */
  readonly kill: (keeps: number) => void
}

const dead = new StorageError({ reason: "Io", operation: "use", path: "store", message: "the process was killed" })

export const make = (memory: MemoryStore.MemoryStore): MortalStore => {
  let isDead = false
  let keeps = 0
  const alive = <A, R>(effect: Effect.Effect<A, StorageError, R>): Effect.Effect<A, StorageError, R> =>
    Effect.suspend(() => (isDead ? Effect.fail(dead) : effect))
  const slowly = Effect.flatMap(Random.nextIntBetween(0, 3), (millis) =>
    millis === 0 ? Effect.void : Effect.sleep(millis)
  )

  const mortal = (file: SegmentFile): SegmentFile => ({
    ...file,
    append: (bytes, options) =>
      Effect.andThen(
        slowly,
        Effect.suspend(() => {
          if (!isDead) return file.append(bytes, options)
          const torn = bytes.subarray(0, Math.floor(keeps * (bytes.length - 1)))
          keeps = 0
          return Effect.andThen(
            torn.length === 0 ? Effect.void : Effect.ignore(file.append(torn, { ...options, sync: false })),
            dead
          )
        })
      ),
    sync: alive(file.sync),
    read: (from, to) => alive(file.read(from, to)),
    cutTail: (keep) => alive(file.cutTail(keep))
  })

  const layer = Layer.effectContext(
    Effect.gen(function* () {
      const sessions = yield* SessionStore
      const pods = yield* PodStore
      return Context.make(SessionStore, {
        ...sessions,
        create: (ref) => alive(Effect.map(sessions.create(ref), mortal)),
        open: (ref) => alive(Effect.map(sessions.open(ref), mortal)),
        link: (ref, sessionId) => alive(sessions.link(ref, sessionId)),
        remove: (ref) => alive(sessions.remove(ref))
      }).pipe(
        Context.add(PodStore, {
          ...pods,
          create: (name, fields) => alive(pods.create(name, fields)),
          update: (name, fields) => alive(Effect.andThen(slowly, alive(pods.update(name, fields)))),
          remove: (name) => alive(pods.remove(name))
        })
      )
    })
  ).pipe(Layer.provide(memory.layer))

  return {
    memory: { ...memory, layer },
    kill: (share) => {
      isDead = true
      keeps = share
    }
  }
}
