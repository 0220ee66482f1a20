/**
 * The durable events of this epoch that are still known with their numbers, so that a client which was away for a
 * moment gets what it missed instead of a whole snapshot. Bounded: the oldest go first.
 */
import type { Envelope } from "../protocol/Event.ts"

const bound = 1_024

export class Retained {
  private events: Array<Envelope> = []
  /** Every durable event with a greater number is still here. */
  private completeAfter = 0

  add(event: Envelope): void {
    this.events.push(event)
    // Cut in halves, so that the copy costs little per event.
    if (this.events.length < bound * 2) return
    const dropped = this.events.length - bound
    this.completeAfter = (this.events[dropped - 1] as Envelope).seq
    this.events = this.events.slice(dropped)
  }

  /** The durable events in (after, upTo], or null if some of them are gone or `after` was never reached. */
  between(after: number, upTo: number): ReadonlyArray<Envelope> | null {
    if (after > upTo || after < this.completeAfter) return null
    return this.events.filter((event) => event.seq > after && event.seq <= upTo)
  }
}
