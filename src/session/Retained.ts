/**
 * The durable events of this epoch that are still known with their numbers, so that a client which was away for a
 * moment gets what it missed instead of a whole snapshot. Bounded in number and in bytes: the oldest go first.
 *
 * An event that carries the log keeps the places of all its entries in memory. Only the last of them stays: it tells the
 * whole log, so one before it would save nobody anything.
 */
import type { Envelope } from "../protocol/Event.ts"
import { lateLog } from "./LogReader.ts"

const countBound = 1_024
const byteBound = 4 * 1024 * 1024

interface Kept {
  readonly event: Envelope
  readonly bytes: number
}

export class Retained {
  private kept: Array<Kept | undefined> = []
  /** Elements in front that are forgotten already and wait to be cut off; nothing is left in them. */
  private dropped = 0
  private bytes = 0
  /** Every durable event with a greater number is still here. */
  private completeAfter = 0
  /** The last event that carries the log. */
  private lateSeq = 0

  /** `bytes` is what the event's entry takes in the file. */
  add(event: Envelope, bytes: number): void {
    this.kept.push({ event, bytes })
    this.bytes += bytes
    if (lateLog in event) {
      while (this.completeAfter < this.lateSeq) this.forgetOldest()
      this.lateSeq = event.seq
    }
    while (this.kept.length - this.dropped > countBound || this.bytes > byteBound) this.forgetOldest()
    // Cut in large pieces, so that the copy costs little per event.
    if (this.dropped < countBound) return
    this.kept = this.kept.slice(this.dropped)
    this.dropped = 0
  }

  /** The durable events in (after, upTo], or null if some of them are gone or `after` was never reached. */
  between(after: number, upTo: number): ReadonlyArray<Envelope> | null {
    if (after > upTo || after < this.completeAfter) return null
    return this.kept
      .slice(this.dropped)
      .flatMap((kept) => (kept !== undefined && kept.event.seq > after && kept.event.seq <= upTo ? [kept.event] : []))
  }

  private forgetOldest(): void {
    const { bytes, event } = this.kept[this.dropped] as Kept
    this.kept[this.dropped] = undefined
    this.dropped += 1
    this.bytes -= bytes
    this.completeAfter = event.seq
  }
}
