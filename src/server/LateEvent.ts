/**
 * The lines of events that carry entries of the log: the entries are spliced in from the file while the line is written.
 * Never one string, never decoded whole, like a snapshot.
 */
import type { Envelope } from "../protocol/Event.ts"
import { lateLog, type LogSource, readText } from "../session/LogReader.ts"
import type { Pieces } from "../session/Pieces.ts"
import { spliced } from "./Splice.ts"

/** A line that is made while it is written, and what it keeps in memory until then, in bytes. */
export interface LateEvent {
  readonly pieces: Pieces
  readonly size: number
}

/** About what the place of an entry or of an item takes: of a log that was changed since, nobody else keeps them. */
const placeBytes = 64

/** Undefined for an event that is written as it is. `envelope` is what stands beside its data. */
export const lateEvent = (event: Envelope, envelope: object): LateEvent | undefined => {
  const log = (event as { readonly [lateLog]?: LogSource })[lateLog]
  if (log === undefined) return undefined
  const size = placeBytes * (log.view.total + (log.inherited?.state.history.length ?? 0))
  return { pieces: piecesOf(event, log, envelope), size }
}

const piecesOf = (event: Envelope, log: LogSource, envelope: object): Pieces => {
  if (event.event === "rewind_applied") {
    const { input, summary } = event.data
    return spliced(
      `{"event":"rewind_applied","data":{"entries":[`,
      readText(log, 0, log.view.total),
      `]`,
      { input, summary },
      envelope
    )
  }
  return spliced(`{"event":"segment_rotated","data":{"entry":`, readText(log, 0, 1), ``, {}, envelope)
}
