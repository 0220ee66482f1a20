/** A client that is there from the start: what it knows from the events must be what a new one is told. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Envelope } from "../../src/protocol/Event.ts"
import type { InboxItem } from "../../src/protocol/Inbox.ts"
import type { Attachment } from "../../src/session/Attachment.ts"
import type { Bench } from "./Look.ts"

export interface Watched {
  readonly attachment: Omit<Attachment, "take">
  readonly events: ReadonlyArray<Envelope>
  /** Somebody else has written to the file, which is therefore not what the pod has. */
  readonly isForeign?: boolean
}

interface Known {
  status: string
  inbox: ReadonlyArray<InboxItem>
  run: string | null
  text: string
}

const know = ({ attachment, events }: Watched): Known => {
  const { inFlight } = attachment
  const known: Known = {
    status: attachment.status,
    inbox: attachment.inbox,
    run: inFlight === null ? null : `${inFlight.run_id} ${inFlight.leg}`,
    text: ""
  }
  for (const event of events) {
    if (event.event === "status") known.status = event.data.status
    if (event.event === "run_start") known.run = `${event.data.run_id} ${event.data.leg}`
    if (event.event === "run_end" && event.data.result !== "abandoned") known.run = null
    if (event.event === "run_end" || event.event === "assistant_item") known.text = ""
    if (event.event === "text_delta") known.text += event.data.text
    if (event.event !== "inbox_changed") continue
    const { item, op } = event.data
    const others = known.inbox.filter(({ item_id }) => item_id !== item.item_id)
    known.inbox = op === "add" ? [...others, item] : others
  }
  return known
}

/** Says what is wrong, or undefined. */
export const wrong = Effect.fnUntraced(function* (bench: Bench, watched: Watched, isLast = false) {
  const { attachment, events } = watched
  const hole = events.findIndex((event, i) => event.seq !== attachment.seq + 1 + i)
  if (hole >= 0) return `event ${hole} has the number ${events[hole]?.seq}`
  const legs = ends(events)
  if (legs !== undefined) return legs
  if (isLast) {
    const open = unfinished(events)
    return open === undefined ? undefined : `leg ${open} has no end`
  }
  const { entries, ...now } = yield* bench.handle.attach
  const known = know(watched)
  const texts = (now.inFlight?.blocks ?? []).flatMap((block) => (block.kind === "text" ? [block.text ?? ""] : []))
  const told = {
    status: now.status,
    // An item that is given back comes to the front, which no event says.
    inbox: now.inbox.map(({ item_id }) => item_id).toSorted(),
    run: now.inFlight === null ? null : `${now.inFlight.run_id} ${now.inFlight.leg}`,
    text: texts.join(""),
    seq: now.seq
  }
  const expected = {
    ...known,
    inbox: known.inbox.map(({ item_id }) => item_id).toSorted(),
    seq: events.at(-1)?.seq ?? attachment.seq
  }
  if (JSON.stringify(told) !== JSON.stringify(expected)) {
    return `${JSON.stringify(told)} instead of ${JSON.stringify(expected)}`
  }
  const shown = JSON.parse(`[${(yield* Stream.runCollect(entries(0))).join("")}]`) as ReadonlyArray<unknown>
  const read = yield* bench.handle.readEntries(0, 1_000)
  if (now.total !== read.total || shown.length !== read.total) {
    return `${shown.length} entries of ${now.total}, and ${read.entries.length} of ${read.total} when read`
  }
  return undefined
}, Effect.scoped)

const legOf = (event: Envelope): string | undefined =>
  event.event === "run_start" || event.event === "run_end" ? `${event.data.run_id} ${event.data.leg}` : undefined

/** A leg ends once. A paused one may be abandoned later. */
const ends = (events: ReadonlyArray<Envelope>): string | undefined => {
  const ended = new Map<string, string>()
  for (const event of events) {
    if (event.event !== "run_end") continue
    const leg = legOf(event) as string
    const before = ended.get(leg)
    if (before !== undefined && !(before === "paused" && event.data.result === "abandoned")) {
      return `leg ${leg} ended as ${before} and as ${event.data.result}`
    }
    ended.set(leg, event.data.result)
  }
  return undefined
}

const unfinished = (events: ReadonlyArray<Envelope>): string | undefined => {
  const open = new Set<string>()
  for (const event of events) {
    if (event.event === "run_start") open.add(legOf(event) as string)
    if (event.event === "run_end") open.delete(legOf(event) as string)
  }
  return Array.from(open)[0]
}
