/**
 * Both stores with a fault in them: the n-th call fails, once or until the store is mended.
 *
 * `after` is the worst that a disk does: what was asked for has happened, and the answer says that it has not. Like a
 * real store, this one takes such bytes back before it appends anything else; until then they stand there.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { PodStore } from "../../src/session/PodStore.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"

export interface Fault {
  /** Which call fails, counted from 0 over both stores. */
  readonly at: number
  readonly code: "ENOSPC" | "EIO" | "EROFS"
  readonly when: "before" | "after"
  readonly lasts: "once" | "for good"
}

export interface FaultyStore {
  readonly layer: Layer.Layer<SessionStore | PodStore>
  /** Every call so far, by name. */
  readonly calls: ReadonlyArray<string>
  /** From now on nothing fails. */
  readonly mend: () => void
}

/** Without a fault it only counts. */
export const make = (real: Layer.Layer<SessionStore | PodStore>, fault?: Fault): FaultyStore => {
  const calls: Array<string> = []
  let isMended = false

  const meet = <A, R>(call: string, act: Effect.Effect<A, StorageError, R>): Effect.Effect<A, StorageError, R> =>
    Effect.suspend(() => {
      const n = calls.push(call) - 1
      if (fault === undefined || isMended || n < fault.at || (n > fault.at && fault.lasts === "once")) return act
      const error = new StorageError({
        reason: "Io",
        operation: call,
        path: "faulty",
        code: fault.code,
        message: `${call} failed for faulty: ${fault.code}`
      })
      // A store that has failed for good takes nothing more.
      return fault.when === "after" && n === fault.at ? Effect.andThen(act, error) : Effect.fail(error)
    })

  const wrap = (file: SegmentFile): SegmentFile => {
    let leftFrom: number | undefined
    const takeBack = Effect.suspend(() => {
      const from = leftFrom
      leftFrom = undefined
      return from === undefined ? Effect.void : Effect.asVoid(file.cutTail(from))
    })
    return {
      ...file,
      size: meet("size", file.size),
      append: (bytes, options) =>
        meet("append", Effect.andThen(takeBack, file.append(bytes, options))).pipe(
          Effect.tapError(() =>
            Effect.map(file.size, (size) => {
              if (size > options.at) leftFrom = options.at
            })
          )
        ),
      sync: meet("sync", file.sync),
      read: (from, to) => meet("read", file.read(from, to)),
      cutTail: (keep) => meet("cut tail", file.cutTail(keep))
    }
  }

  const layer = Layer.effectContext(
    Effect.gen(function* () {
      const sessions = yield* SessionStore
      const pods = yield* PodStore
      return Context.make(
        SessionStore,
        SessionStore.of({
          syncs: true,
          create: (ref) => Effect.map(meet("create", sessions.create(ref)), wrap),
          open: (ref) => Effect.map(meet("open", sessions.open(ref)), wrap),
          link: (ref, sessionId) => meet("link", sessions.link(ref, sessionId)),
          remove: (ref) => meet("remove", sessions.remove(ref)),
          list: meet("list", sessions.list)
        })
      ).pipe(
        Context.add(
          PodStore,
          PodStore.of({
            get: (name) => meet("get", pods.get(name)),
            update: (name, fields) => meet("update", pods.update(name, fields)),
            create: (name, fields) => meet("create", pods.create(name, fields)),
            remove: (name) => meet("remove", pods.remove(name)),
            list: meet("list", pods.list)
          })
        )
      )
    })
  ).pipe(Layer.provide(real))

  return {
    layer,
    calls,
    mend: () => {
      isMended = true
    }
  }
}
