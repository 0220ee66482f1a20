/**
 * What one client has yet to get, in order: answers to its own lines, events, and snapshots that are produced while
 * they are written. Also counts the client's lines that are not answered yet.
 *
 * Offering never waits, so nobody is ever held up by a slow client. Answers are bounded by reading no more lines,
 * events by a bound that refuses, snapshots by being one at a time. One fiber takes, one fiber begins lines.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Pieces } from "../session/Pieces.ts"
import type { Limits } from "./Limits.ts"

/**
 * * `Line`: whole lines for this client alone; `answer` if they answer one of its lines; `pieces` for one that is read
 *   from the log while it is written.
 * * `Event`: the lines of one broadcast event; `pieces` for one that is read from the log while it is written.
 * * `Pieces`: a snapshot, or events of before. `feed` is the attachment that it belongs to.
 * * `Resync`: events from `missedFrom` on were dropped; a fresh snapshot has to follow.
 */
export type Item =
  | { readonly _tag: "Line"; readonly text: string; readonly answer: boolean; readonly pieces?: Pieces }
  | {
      readonly _tag: "Event"
      readonly text: string
      /** What it counts for: the length of its text, or what it keeps in memory until it is written. */
      readonly size: number
      readonly seq: number
      readonly pieces?: Pieces
      readonly feed?: number
    }
  | { readonly _tag: "Pieces"; readonly pieces: Pieces; readonly feed: number }
  | { readonly _tag: "Resync"; readonly missedFrom: number; readonly feed: number }

export class Outbox {
  private readonly limits: Limits
  private items: Array<Item> = []
  private head = 0
  private events = 0
  private eventSize = 0
  private answerSize = 0
  private unanswered = 0
  private discarding = false
  private closed = false
  private moved = 0
  /** Opened whenever there may be something for the writer. */
  private readonly filled = Latch.makeUnsafe(false)
  /** Opened whenever a line has been answered. */
  private readonly answered = Latch.makeUnsafe(false)

  constructor(limits: Limits) {
    this.limits = limits
  }

  /** Counts one more line of the client; waits while too many are unanswered. */
  readonly begin: Effect.Effect<void> = Effect.suspend(() =>
    this.unanswered >= this.limits.maxUnanswered || this.answerSize > this.limits.maxAnswerSize
      ? Effect.andThen(this.nextAnswer, this.begin)
      : Effect.sync(() => {
          this.unanswered += 1
        })
  )

  /** Returns when every line has been dealt with and its answer written, or when nobody takes answers any more. */
  readonly settled: Effect.Effect<void> = Effect.suspend(() =>
    this.unanswered > 0 && !this.discarding ? Effect.andThen(this.nextAnswer, this.settled) : Effect.void
  )

  /** Returns when there is something to take, or when nothing more will come. */
  readonly ready: Effect.Effect<void> = Effect.suspend(() => {
    if (this.length > 0 || this.closed) return Effect.void
    this.filled.closeUnsafe()
    return Effect.andThen(this.filled.await, this.ready)
  })

  private readonly nextAnswer = Effect.suspend(() => {
    this.answered.closeUnsafe()
    return this.answered.await
  })

  /** Lines that wait. */
  get length(): number {
    return this.items.length - this.head
  }

  /** Nothing more is accepted; what waits is still to be taken. */
  get ended(): boolean {
    return this.closed
  }

  /** Grows with everything that is written: a client that stands still is seen by this standing still. */
  get progress(): number {
    return this.moved
  }

  /** A line that needs no answer has been dealt with. */
  settle(count = 1): void {
    this.unanswered -= count
    this.answered.openUnsafe()
  }

  answer(text: string): void {
    if (this.discarding || this.closed) return this.settle()
    this.answerSize += text.length
    this.push({ _tag: "Line", text, answer: true })
  }

  /** As `answer`, for one that is produced while it is written. */
  lateAnswer(pieces: Pieces): void {
    if (this.discarding || this.closed) return this.settle()
    this.push({ _tag: "Line", text: "", answer: true, pieces })
  }

  line(text: string): void {
    this.push({ _tag: "Line", text, answer: false })
  }

  /** False if the client has fallen too far behind to take this event. */
  event(text: string, seq: number): boolean {
    if (!this.hasRoom(text.length)) return false
    this.push({ _tag: "Event", text, size: text.length, seq })
    return true
  }

  /** As `event`, for one whose line is produced while it is written; `size` is what it keeps in memory until then. */
  lateEvent(pieces: Pieces, size: number, seq: number, feed: number): boolean {
    if (!this.hasRoom(size)) return false
    this.push({ _tag: "Event", text: "", size, seq, pieces, feed })
    return true
  }

  private hasRoom(size: number): boolean {
    const { maxEvents, maxEventSize } = this.limits
    return this.events === 0 || (this.events < maxEvents && this.eventSize + size <= maxEventSize)
  }

  pieces(pieces: Pieces, feed: number): void {
    this.push({ _tag: "Pieces", pieces, feed })
  }

  resync(missedFrom: number, feed: number): void {
    this.push({ _tag: "Resync", missedFrom, feed })
  }

  take(): Item | undefined {
    const item = this.items[this.head]
    if (item === undefined) return undefined
    this.head += 1
    if (item._tag === "Event") {
      this.events -= 1
      this.eventSize -= item.size
    } else if (item._tag === "Line" && item.answer) this.answerSize -= item.text.length
    if (this.head === this.items.length) {
      this.items = []
      this.head = 0
    } else if (this.head >= 1_024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  /** The writer has handed on something, `answers` answers among it. */
  written(answers: number): void {
    this.moved += 1
    if (answers > 0) this.settle(answers)
  }

  /** Takes the events out and returns the number of the first one, if there was one. */
  dropEvents(): number | undefined {
    return this.drop((item) => item._tag === "Event")
  }

  /** Takes everything out that came of attaching, but for the snapshot that every client gets first (feed 0). */
  dropFeeds(): void {
    this.drop((item) => item._tag === "Event" || item._tag === "Resync" || (item._tag === "Pieces" && item.feed > 0))
  }

  /** The client takes nothing any more: what waits and what comes is as good as written. */
  discard(): void {
    this.discarding = true
    const answers = this.items.slice(this.head).filter((item) => item._tag === "Line" && item.answer).length
    this.items = []
    this.head = 0
    this.events = 0
    this.eventSize = 0
    this.answerSize = 0
    this.settle(answers)
  }

  end(): void {
    this.closed = true
    this.filled.openUnsafe()
  }

  private push(item: Item): void {
    if (this.discarding || this.closed) return
    if (item._tag === "Event") {
      this.events += 1
      this.eventSize += item.size
    }
    this.items.push(item)
    this.filled.openUnsafe()
  }

  private drop(unwanted: (item: Item) => boolean): number | undefined {
    const waiting = this.items.slice(this.head)
    const first = waiting.find((item) => item._tag === "Event")
    this.items = waiting.filter((item) => !unwanted(item))
    this.head = 0
    this.events = 0
    this.eventSize = 0
    return first?.seq
  }
}
