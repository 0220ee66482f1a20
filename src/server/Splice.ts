/** A line of JSON with entries of the log in it, as texts that come piece by piece. */
import { encodeLine } from "../protocol/Wire.ts"
import { enclosed, type Pieces } from "../session/Pieces.ts"

/**
 * `head`, the entries, `tail`, the fields of `data` behind them and those of the envelope.
 * What is not an entry goes behind them: a failure in the middle must not look like a whole line.
 */
export const spliced = (head: string, entries: Pieces, tail: string, data: object, envelope: object): Pieces =>
  enclosed(head, entries, `${tail}${more(data)}}${more(envelope)}}\n`)

/** The fields of an object, each behind a comma. */
const more = (fields: object): string => {
  const text = encodeLine(fields).slice(1, -2)
  return text === "" ? "" : `,${text}`
}
