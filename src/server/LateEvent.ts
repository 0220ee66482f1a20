/**
 * The lines of events that carry entries of the log: the entries are spliced in from the file while the line is written.
 * Never one string, never decoded whole, like a snapshot.
 */
import type { Envelope } from "../protocol/Event.ts"
import { lateLog, type LogSource, readText } from "../session/LogReader.ts"
import type { Pieces } from "../session/Pieces.ts"
import { spliced } from "./Splice.ts"

/** Undefined for an event that is written as it is. `envelope` is what stands beside its data. */
export const pieces = (event: Envelope, envelope: object): Pieces | undefined => {
  const log = (event as { readonly [lateLog]?: LogSource })[lateLog]
  if (log === undefined) return undefined
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
