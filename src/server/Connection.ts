/**
 * One client of one pod, over any transport: from the first snapshot to the last line.
 *
 *     transport ─▶ Inlet ─▶ pod, Answers ─▶ Outbox ─▶ Outlet ─▶ transport
 *                            pod ─▶ Feed ──────▲
 *
 * Reading and writing never wait for each other, and nothing here ever holds the pod up.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { PodHandle } from "../pod/PodHandle.ts"
import { maxName, shortened } from "../protocol/Approval.ts"
import type { Hello } from "../protocol/Method.ts"
import { version } from "../Version.ts"
import * as Answers from "./Answers.ts"
import * as Attendance from "./Attendance.ts"
import * as Connections from "./Connections.ts"
import * as Feed from "./Feed.ts"
import * as Inlet from "./Inlet.ts"
import * as Limits from "./Limits.ts"
import { Outbox } from "./Outbox.ts"
import * as Outlet from "./Outlet.ts"
import type { Transport } from "./Transport.ts"

export interface Options {
  /** Where this connection is listed. One per pod. */
  readonly connections?: Connections.Connections
  /** Name and version of the program, for `welcome`. Default `effect-pod` and this build's. */
  readonly server?: string
  readonly limits?: Partial<Limits.Limits>
}

/**
 * Serves the client until it leaves, until the pod has stopped, or until this is interrupted. In the last two cases
 * what is still to be told goes out first, for a bounded time. The transport is closed at the end.
 */
export const serve = Effect.fn("Connection.serve")(function* (
  handle: PodHandle,
  transport: Transport,
  options: Options = {}
): Effect.fn.Return<void> {
  yield* Effect.ensuring(Effect.scoped(converse(handle, transport, options)), transport.close)
})

const converse = Effect.fnUntraced(function* (handle: PodHandle, transport: Transport, options: Options) {
  const limits = { ...Limits.defaults, ...options.limits }
  const connections = options.connections ?? Connections.make()
  const outbox = new Outbox(limits)
  const cutOff = yield* Deferred.make<string>()
  const cut = (reason: string) => {
    Deferred.doneUnsafe(cutOff, Effect.succeed(reason))
  }

  let spoken: Pick<Connections.ConnectionInfo, "client" | "protocol"> = { client: null, protocol: 1 }
  yield* Effect.acquireRelease(
    Effect.sync(() => connections.add(() => ({ ...spoken, queued: outbox.length }))),
    (remove) => Effect.sync(remove)
  )

  const server = options.server ?? `effect-pod/${version}`
  const feed = yield* Feed.make({ handle, outbox, server, cut })
  yield* feed.seed
  const outlet = yield* Effect.forkScoped(Outlet.run({ transport, outbox, feed, limits, cut }), {
    startImmediately: true
  })
  const answers = yield* Answers.make({ handle, outbox, connections, maxUnanswered: limits.maxUnanswered })
  const attendance = yield* Attendance.make(handle)
  const hello = (method: Hello) =>
    Effect.sync(() => {
      const { client } = method.params
      spoken = { client: client === undefined ? null : shortened(client, maxName), protocol: 2 }
    }).pipe(Effect.andThen(attendance(method.params.approvals !== false)), Effect.andThen(feed.hello(method)))
  const from = () => spoken.client ?? "a client without a name"
  const inlet = yield* Effect.forkScoped(
    Inlet.run({ handle, transport, outbox, answers, hello, from, maxLineBytes: limits.maxLineBytes })
  )

  /** Everything that waits is written, then the outlet ends. */
  const flush = Effect.andThen(
    feed.stop,
    Effect.suspend(() => {
      outbox.end()
      return Fiber.join(outlet)
    })
  )

  /** Fails to progress for too long: a client that has ended its side and reads nothing. */
  const stalled: Effect.Effect<void> = Effect.suspend(() => {
    const before = outbox.progress
    return Effect.delay(
      Effect.suspend(() => (outbox.progress === before ? Effect.void : stalled)),
      limits.stallTimeout
    )
  })

  /** The writer ends by itself only when asked to, or when the client takes nothing more; it can still send then. */
  const failed = Effect.andThen(Fiber.join(outlet), Effect.never)
  const left = Effect.andThen(Fiber.join(inlet), Effect.raceFirst(flush, stalled))
  /** The last lines, for a client that may be slow or stand still. */
  const farewell = Effect.andThen(feed.caughtUp, flush).pipe(Effect.timeoutOption(limits.drainTimeout), Effect.asVoid)

  const isCut = Effect.flatMap(Deferred.await(cutOff), (reason) => Effect.logWarning(`client cut off: ${reason}`))
  const stopped = Effect.as(handle.stopped, true)
  yield* Effect.raceAllFirst([Effect.as(left, false), Effect.as(isCut, false), failed, stopped]).pipe(
    Effect.flatMap((podStopped) => (podStopped ? farewell : Effect.void)),
    Effect.onInterrupt(() => farewell)
  )
})
