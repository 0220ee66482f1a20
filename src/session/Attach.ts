/**
 * Attaching: subscribe first, then read everything in one step, then drop what the subscription delivers of before.
 * No moment lies between the snapshot and the events that could lose or double one.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import type { Envelope } from "../protocol/Event.ts"
import { countTasks } from "../protocol/Task.ts"
import { inboxItem } from "./Announce.ts"
import type { Attachment } from "./Attachment.ts"
import type { SessionState } from "./Fold.ts"
import * as Live from "./Live.ts"
import { type LogSource, readText } from "./LogReader.ts"
import type { Retained } from "./Retained.ts"
import { sessionUsage } from "./Spent.ts"

export interface AttachSource {
  readonly epoch: string
  readonly hub: PubSub.PubSub<Envelope>
  readonly live: Live.Live
  readonly state: SessionState
  readonly retained: Retained
  readonly seq: () => number
  readonly source: () => LogSource
}

export const attach = (source: AttachSource): Effect.Effect<Attachment, never, Scope.Scope> =>
  Effect.flatMap(PubSub.subscribe(source.hub), (subscription) =>
    Effect.sync((): Attachment => {
      const seq = source.seq()
      const log = source.source()
      return {
        epoch: source.epoch,
        seq,
        status: source.live.status,
        inFlight: Live.inFlight(source.live),
        inbox: Array.from(source.state.inbox.values(), inboxItem),
        pendingApprovals: Array.from(source.live.approvals.values()),
        waitingOn: source.live.waitingOn,
        usage: sessionUsage(source.state),
        tasks: countTasks(source.state.tasks.list),
        alerts: source.live.alerts,
        total: log.view.total,
        entries: (from, to = log.view.total) => readText(log, from, to),
        replay: (after) => source.retained.between(after, seq),
        take: takeAfter(subscription, seq)
      }
    })
  )

const takeAfter = (subscription: PubSub.Subscription<Envelope>, seq: number): Effect.Effect<ReadonlyArray<Envelope>> =>
  Effect.flatMap(PubSub.takeAll(subscription), (events) => {
    if (events[0].seq > seq) return Effect.succeed(events)
    const later = events.filter((event) => event.seq > seq)
    return later.length > 0 ? Effect.succeed(later) : takeAfter(subscription, seq)
  })
