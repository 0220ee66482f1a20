/**
 * Writes to one client: takes from the outbox, puts lines together into writes, streams the long ones.
 * Ends when the outbox has ended and is empty, or when the client takes nothing any more.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ErrorCode } from "../protocol/Status.ts"
import { encodeLine } from "../protocol/Wire.ts"
import type { Pieces } from "../session/Pieces.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Feed } from "./Feed.ts"
import type { Limits } from "./Limits.ts"
import type { Outbox } from "./Outbox.ts"
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

  const stream = (pieces: Pieces, code: ErrorCode) =>
    Effect.suspend(() => {
      let begun = false
      return Stream.runForEach(pieces, (piece) => {
        text += piece
        begun = !piece.endsWith("\n")
        return flushIfFull
      }).pipe(Effect.catchTag("StorageError", (error) => broken(error, code, begun)))
    })

  /** The line cannot be finished. One that has begun is ended where it is, so that the client can read why. */
  const broken = Effect.fnUntraced(function* (error: StorageError, code: ErrorCode, begun: boolean) {
    const message = `the log cannot be read: ${error.message}`
    text += `${begun ? "\n" : ""}${encodeLine({ event: "error", data: { code, message, phase: "store" } })}`
    yield* flush
    options.cut(message)
    return yield* Effect.never
  })

  const answered = Effect.sync(() => {
    answers += 1
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
        yield* stream(item.pieces, codeOf(item.feed))
      } else if (item._tag === "Resync") {
        // What the client has not taken yet must not hold the snapshot back: it is attached when it is its turn.
        yield* flush
        const pieces = yield* feed.resync(item)
        if (pieces !== null) yield* stream(pieces, codeOf(item.feed))
      } else if (item._tag === "Event" && item.pieces !== undefined) {
        yield* stream(item.pieces, codeOf(item.feed ?? 0))
      } else if (item._tag === "Line" && item.pieces !== undefined) {
        yield* Effect.ensuring(stream(item.pieces, "storage_error"), answered)
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

/** The first attachment of a connection speaks the seed's protocol, which knows fewer codes. */
const codeOf = (feed: number): ErrorCode => (feed === 0 ? "internal" : "storage_error")
