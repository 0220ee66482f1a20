/**
 * What keeps one client up to date: its attachment to the pod, and the fiber that moves events into the outbox.
 *
 * The moving never waits for the client. A client that falls behind its bound is let go of at once: on the native
 * protocol it is told so and attached anew when it reads again, on the seed protocol its connection is closed.
 * Whatever is attached anew is attached whole: an event is in a snapshot or behind it, never both, never neither.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import type { PodHandle } from "../pod/PodHandle.ts"
import type { Envelope } from "../protocol/Event.ts"
import type { Hello } from "../protocol/Method.ts"
import * as SeedProjection from "../protocol/SeedProjection.ts"
import { encodeLine } from "../protocol/Wire.ts"
import type { Attachment } from "../session/Attachment.ts"
import type { Pieces } from "../session/Pieces.ts"
import type { Item, Outbox } from "./Outbox.ts"
import { lateEvent } from "./LateEvent.ts"
import * as Snapshot from "./Snapshot.ts"

export interface Feed {
  /** Attaches on the seed protocol: alerts, snapshot, events. The first thing that happens on a connection. */
  readonly seed: Effect.Effect<void>
  /** Attaches on the native protocol, in place of whatever was attached; puts the `welcome` and what follows it. */
  readonly hello: (hello: Hello) => Effect.Effect<void>
  /** Attaches anew for a client that fell behind; null if a `hello` came in between. */
  readonly resync: (item: Extract<Item, { readonly _tag: "Resync" }>) => Effect.Effect<Pieces | null>
  /** Returns when every event that the pod has published by now is in the outbox. */
  readonly caughtUp: Effect.Effect<void>
  readonly stop: Effect.Effect<void>
}

export interface FeedOptions {
  readonly handle: PodHandle
  readonly outbox: Outbox
  /** For `welcome`. */
  readonly server: string
  /** The client cannot be kept up to date: the connection has to be closed. Must not wait. */
  readonly cut: (reason: string) => void
}

/** Events moved in one go. Then the writer has its turn, so that a burst does not look like a slow client. */
const burst = 128

/** How events become lines for this client, and what happens when it cannot take one. */
interface Mode {
  readonly encode: (event: Envelope) => string
  /** What stands beside the data of an event. */
  readonly envelope: (event: Envelope) => object
  readonly lagged: (seq: number) => void
}

export const make = Effect.fnUntraced(function* (options: FeedOptions): Effect.fn.Return<Feed, never, Scope.Scope> {
  const { handle, outbox } = options
  const scope = yield* Effect.scope
  /** Attaching is asked for by the fiber that reads and by the one that writes. */
  const lock = Semaphore.makeUnsafe(1)
  const moved = Latch.makeUnsafe(false)
  let feed = -1
  let tail: number | undefined
  let pump: Fiber.Fiber<void> | undefined
  /** The last event that the snapshot holds or that is in the outbox. */
  let position = 0

  /** False if the client has fallen too far behind to take it. */
  const put = (event: Envelope, mode: Mode): boolean => {
    const late = lateEvent(event, mode.envelope(event))
    if (late !== undefined) return outbox.lateEvent(late.pieces, late.size, event.seq, feed)
    const line = mode.encode(event)
    return line === "" || outbox.event(line, event.seq)
  }

  const move = Effect.fnUntraced(function* (attachment: Attachment, mode: Mode) {
    while (true) {
      const events = yield* attachment.take
      for (let i = 0; i < events.length; i++) {
        const event = events[i]!
        const next = position + 1
        if (event.seq !== next || !put(event, mode)) return mode.lagged(next)
        position = next
        if (i % burst === burst - 1) yield* Effect.yieldNow
      }
      moved.openUnsafe()
    }
  })

  const stop = Effect.suspend(() => (pump === undefined ? Effect.void : Fiber.interrupt(pump)))

  /** `prelude` is put into the outbox before any event. */
  const attach = Effect.fnUntraced(function* (prelude: (attachment: Attachment) => Mode) {
    yield* stop
    const subscription = yield* Scope.fork(scope)
    const attachment = yield* Scope.provide(handle.attach, subscription)
    outbox.dropFeeds()
    feed += 1
    position = attachment.seq
    const mode = prelude(attachment)
    pump = yield* move(attachment, mode).pipe(
      Effect.ensuring(Scope.close(subscription, Exit.void)),
      Effect.forkIn(scope, { startImmediately: true })
    )
    pump.addObserver((exit) => {
      moved.openUnsafe()
      if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) options.cut(Cause.pretty(exit.cause))
    })
    return attachment
  })

  const native = (): Mode => {
    const own = feed
    return {
      encode: encodeLine,
      envelope: ({ durable, seq }) => ({ seq, ...(durable === undefined ? {} : { durable }) }),
      lagged: (seq) => outbox.resync(outbox.dropEvents() ?? seq, own)
    }
  }

  const seed = attach((attachment) => {
    const projection = SeedProjection.make()
    const status = projection.attach(attachment.status, attachment.inFlight !== null || attachment.status === "running")
    for (const alert of attachment.alerts) outbox.line(encodeLine(alert))
    outbox.pieces(Snapshot.seed(attachment, handle.greeting, status), feed)
    return {
      encode: (event) => projection.project(event).map(encodeLine).join(""),
      envelope: () => ({}),
      lagged: (seq) => options.cut(`it has fallen behind the event with seq ${seq}`)
    }
  })

  const hello = ({ id, params }: Hello) =>
    attach((attachment) => {
      const from = params.resume_from
      const events = from !== undefined && from.epoch === attachment.epoch ? attachment.replay(from.seq) : null
      tail = params.entries?.tail
      outbox.answer(
        encodeLine({
          event: "welcome",
          data: {
            ...(id === undefined ? {} : { reply_to: id }),
            protocol: params.protocol,
            server: options.server,
            pod_name: handle.name,
            epoch: attachment.epoch,
            seq: attachment.seq,
            resumed: events !== null
          }
        })
      )
      const pieces =
        events === null
          ? Snapshot.native(attachment, handle.greeting, tail)
          : Snapshot.resumed(events, attachment.inFlight)
      outbox.pieces(pieces, feed)
      return native()
    })

  const resync = Effect.fnUntraced(function* (item: Extract<Item, { readonly _tag: "Resync" }>) {
    if (item.feed !== feed) return null
    const attachment = yield* attach(native)
    const lagged = { event: "lagged", data: { missed_from: item.missedFrom, resume_seq: attachment.seq } }
    return Stream.concat(Stream.succeed(encodeLine(lagged)), Snapshot.native(attachment, handle.greeting, tail))
  })

  const reached = (seq: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (position >= seq || pump === undefined || pump.pollUnsafe() !== undefined) return Effect.void
      moved.closeUnsafe()
      return Effect.andThen(moved.await, reached(seq))
    })

  return {
    seed: lock.withPermit(Effect.asVoid(seed)),
    hello: (method) => lock.withPermit(Effect.asVoid(hello(method))),
    resync: (item) => lock.withPermit(resync(item)),
    caughtUp: Effect.flatMap(Effect.scoped(Effect.map(handle.attach, ({ seq }) => seq)), reached),
    stop: lock.withPermit(stop)
  }
})
