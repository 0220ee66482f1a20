/**
 * Writes to one client: takes from the outbox, puts lines together into writes, streams the long ones.
 * Ends when the outbox has ended and is empty, or when the client takes nothing any more.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { encodeLine } from "../protocol/Wire.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Feed } from "./Feed.ts"
import type { Limits } from "./Limits.ts"
import type { Outbox, Pieces } from "./Outbox.ts"
import type { Transport } from "./Transport.ts"

export interface OutletOptions {
  readonly transport: Transport
  readonly outbox: Outbox
  readonly feed: Feed
  readonly limits: Limits
  readonly cut: (reason: string) => void
}

export const run = (options: OutletOptions): Effect.Effect<void> => {
  const { feed, outbox, transport } = options
  let text = ""
  let answers = 0

  const flush = Effect.suspend(() => {
    if (text === "") return Effect.void
    const written = text
    text = ""
    return Effect.tap(transport.write(written), () =>
      Effect.sync(() => {
        outbox.written(answers)
        answers = 0
      })
    )
  })

  const flushIfFull = Effect.suspend(() => (text.length >= options.limits.writeSize ? flush : Effect.void))

  const stream = (pieces: Pieces, of: number) =>
    Stream.runForEach(pieces, (piece) => {
      text += piece
      return flushIfFull
    }).pipe(Effect.catchTag("StorageError", (error) => broken(error, of)))

  /** The line cannot be finished. It is ended where it is, so that the client can read why. */
  const broken = Effect.fnUntraced(function* (error: StorageError, of: number) {
    const message = `the log cannot be read: ${error.message}`
    const code = of === 0 ? "internal" : "storage_error"
    text += `\n${encodeLine({ event: "error", data: { code, message, phase: "store" } })}`
    yield* flush
    options.cut(message)
    return yield* Effect.never
  })

  const loop = Effect.gen(function* () {
    while (true) {
      const item = outbox.take()
      if (item === undefined) {
        yield* flush
        if (outbox.length > 0) continue
        if (outbox.ended) return
        yield* outbox.ready
      } else if (item._tag === "Pieces") {
        yield* stream(item.pieces, item.feed)
      } else if (item._tag === "Resync") {
        // What the client has not taken yet must not hold the snapshot back: it is attached when it is its turn.
        yield* flush
        const pieces = yield* feed.resync(item)
        if (pieces !== null) yield* stream(pieces, item.feed)
      } else if (item._tag === "Event" && item.pieces !== undefined) {
        yield* stream(item.pieces, item.feed ?? 0)
      } else {
        text += item.text
        if (item._tag === "Line" && item.answer) answers += 1
        yield* flushIfFull
      }
    }
  })

  return Effect.catchTag(loop, "Disconnected", () =>
    Effect.sync(() => {
      outbox.settle(answers)
      outbox.discard()
    })
  )
}
