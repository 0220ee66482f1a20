/**
 * Attaching: subscribe first, then read everything in one step, then drop what the subscription delivers of before.
 * No moment lies between the snapshot and the events that could lose or double one.
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Envelope } from "../protocol/Event.ts"
import { inboxItem } from "./Announce.ts"
import type { Attachment } from "./Attachment.ts"
import type { SessionState } from "./Fold.ts"
import * as Live from "./Live.ts"
import type { LogIndex, LogView } from "./LogIndex.ts"
import type { Retained } from "./Retained.ts"
import type { SegmentFile } from "./SessionStore.ts"
import type { StorageError } from "./StorageError.ts"

export interface AttachSource {
  readonly epoch: string
  readonly hub: PubSub.PubSub<Envelope>
  readonly index: LogIndex
  readonly live: Live.Live
  readonly state: SessionState
  readonly retained: Retained
  readonly seq: () => number
  readonly file: () => SegmentFile | undefined
}

/** Bytes of one read of the file on behalf of a snapshot. */
const chunkBytes = 256 * 1024

export const attach = (source: AttachSource): Effect.Effect<Attachment, never, Scope.Scope> =>
  Effect.flatMap(PubSub.subscribe(source.hub), (subscription) =>
    Effect.sync((): Attachment => {
      const seq = source.seq()
      const view = source.index.view()
      const file = source.file()
      return {
        epoch: source.epoch,
        seq,
        status: source.live.status,
        inFlight: Live.inFlight(source.live),
        inbox: Array.from(source.state.inbox.values(), inboxItem),
        pendingApprovals: Array.from(source.live.approvals.values()),
        waitingOn: source.live.waitingOn,
        alerts: source.live.alerts,
        total: view.total,
        entries: (from) => readEntries(file, view, from, view.total),
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

/** The entries from ≤ i < to as the texts that stand in the file, a piece of the file at a time. */
export const readEntries = (
  file: SegmentFile | undefined,
  view: LogView,
  from: number,
  to: number
): Stream.Stream<ReadonlyArray<string>, StorageError> =>
  file === undefined
    ? Stream.empty
    : Stream.fromIterable(view.ranges(from, to, chunkBytes)).pipe(
        Stream.mapEffect((range) =>
          Effect.map(file.read(range.from, range.to), (bytes) => new TextDecoder().decode(bytes).trimEnd().split("\n"))
        )
      )
