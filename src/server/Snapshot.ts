/**
 * The long lines of an attach, as pieces: the log's entries are spliced in as the texts that stand in the file.
 * Never one string, never decoded whole: a transcript of any size costs one piece of memory.
 */
import * as Stream from "effect/Stream"
import type { Envelope } from "../protocol/Event.ts"
import type { Greeting } from "../protocol/Greeting.ts"
import type { InFlight } from "../protocol/Inbox.ts"
import type { SeedStatus } from "../protocol/Status.ts"
import { encodeLine } from "../protocol/Wire.ts"
import type { Attachment } from "../session/Attachment.ts"
import type { Pieces } from "../session/Pieces.ts"
import { lateEvent } from "./LateEvent.ts"
import { spliced } from "./Splice.ts"

const head = `{"event":"snapshot","data":{"entries":[`

/** Exactly the three fields of the seed. */
export const seed = (attachment: Attachment, greeting: Greeting, status: SeedStatus): Pieces =>
  spliced(head, attachment.entries(0), "]", { greeting, status }, {})

/** The last `tail` entries, or all of them. */
export const native = (attachment: Attachment, greeting: Greeting, tail: number | undefined): Pieces => {
  const from = tail === undefined ? 0 : Math.max(0, attachment.total - tail)
  const data = {
    greeting,
    status: attachment.status,
    seq: attachment.seq,
    epoch: attachment.epoch,
    entries_from: from,
    total: attachment.total,
    in_flight: attachment.inFlight,
    inbox: attachment.inbox,
    pending_approvals: attachment.pendingApprovals,
    waiting_on: attachment.waitingOn,
    usage: attachment.usage,
    tasks: attachment.tasks
  }
  return spliced(head, attachment.entries(from), "]", data, {})
}

/** Durable events that a client missed, and what is in flight now. */
export const resumed = (events: ReadonlyArray<Envelope>, inFlight: InFlight | null): Pieces =>
  Stream.concat(
    Stream.flatMap(
      Stream.fromIterable(events),
      (event) => lateEvent(event, { seq: event.seq, durable: true })?.pieces ?? Stream.succeed(encodeLine(event))
    ),
    Stream.succeed(encodeLine({ event: "in_flight", data: inFlight }))
  )
