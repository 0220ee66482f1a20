/**
 * What a client gets when it attaches: the state at sequence number `seq`, and every event after it.
 *
 * Exact at any moment: the snapshot at n plus the events after n equal what a client that was there from the start
 * has seen, also in the middle of a token.
 */
import type * as Effect from "effect/Effect"
import type { Approval } from "../protocol/Approval.ts"
import type { BroadcastEvent, Envelope } from "../protocol/Event.ts"
import type { InboxItem, InFlight, WaitingOn } from "../protocol/Inbox.ts"
import type { RunUsage } from "../protocol/LogEntry.ts"
import type { PodStatus } from "../protocol/Status.ts"
import type { TaskCounts } from "../protocol/Task.ts"
import type { Pieces } from "./Pieces.ts"

export interface Attachment {
  /** Names this run of the pod; `seq` starts at 1 in each. */
  readonly epoch: string
  /** The last event that the snapshot contains. */
  readonly seq: number
  readonly status: PodStatus
  readonly inFlight: InFlight | null
  readonly inbox: ReadonlyArray<InboxItem>
  readonly pendingApprovals: ReadonlyArray<Approval>
  readonly waitingOn: WaitingOn | null
  /** What the session has used so far, also in what a rewind has hidden since. */
  readonly usage: RunUsage
  readonly tasks: TaskCounts
  /** Alerts of this process so far, oldest first, at most 512. */
  readonly alerts: ReadonlyArray<Extract<BroadcastEvent, { readonly event: "alert" }>>
  /** Entries in the log at `seq`. */
  readonly total: number
  /**
   * The log's entries `from` ≤ i < `to` (default: `total`) as JSON with commas between them, in pieces with backpressure:
   * put together and into brackets, they are an array. It may be read after later events have happened.
   */
  readonly entries: (from: number, to?: number) => Pieces
  /**
   * The durable events in (after, seq] with their numbers, if this epoch still knows them all; null if not.
   * `after` comes from a client's `resume_from.seq`.
   */
  readonly replay: (after: number) => ReadonlyArray<Envelope> | null
  /**
   * Events after `seq`, in order. One that is not followed by its successor means that this subscriber fell behind and
   * older ones were dropped: attach again. Taking never slows the pod or another subscriber.
   */
  readonly take: Effect.Effect<ReadonlyArray<Envelope>>
}
