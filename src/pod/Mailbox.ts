/**
 * The one way into the controller: methods in order of arrival, and the pod's own mails among them.
 *
 * Methods are admitted up to a bound; beyond it a sender that wants an answer is told `overloaded`, any other waits.
 * The pod's own mails always fit: there is at most one for each leg.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Semaphore from "effect/Semaphore"

export interface Mailbox<External, Internal> {
  /** Waits for a place. */
  readonly send: (mail: External) => Effect.Effect<void>
  /** False if there is no place. */
  readonly trySend: (mail: External) => Effect.Effect<boolean>
  readonly post: (mail: Internal) => Effect.Effect<void>
  readonly take: Effect.Effect<External | Internal>
  /** What is left when nobody will take any more. */
  readonly drain: Effect.Effect<ReadonlyArray<External | Internal>>
}

/** Methods that may wait for the controller, over all connections of a pod. */
const bound = 1_024
/** Places beyond that for mails of the pod itself. */
const reserve = 64

export const make = Effect.fnUntraced(function* <External, Internal>(
  isExternal: (mail: External | Internal) => boolean
) {
  const queue = yield* Queue.bounded<External | Internal>(bound + reserve)
  const places = yield* Semaphore.make(bound)
  const leave = (mail: External | Internal) => (isExternal(mail) ? places.release(1) : Effect.void)
  return {
    send: (mail) =>
      Effect.uninterruptibleMask((restore) => Effect.andThen(restore(places.take(1)), Queue.offer(queue, mail))),
    trySend: (mail) =>
      Effect.flatMap(places.takeIfAvailable(1), (free) =>
        free ? Effect.as(Queue.offer(queue, mail), true) : Effect.succeed(false)
      ).pipe(Effect.uninterruptible),
    post: (mail) => Effect.asVoid(Queue.offer(queue, mail)),
    take: Effect.tap(Queue.take(queue), leave),
    drain: Effect.tap(Queue.clear(queue), (mails) => Effect.forEach(mails, leave, { discard: true }))
  } satisfies Mailbox<External, Internal>
})
