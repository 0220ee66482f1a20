/** A line of JSON with entries of the log in it, as texts that come piece by piece. */
import * as Stream from "effect/Stream"
import { encodeLine } from "../protocol/Wire.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Pieces } from "./Outbox.ts"

/**
 * `head`, the entries with commas between them, `tail`, the fields of `data` behind them and those of the envelope.
 * What is not an entry goes behind them: a failure in the middle must not look like a whole line.
 */
export const spliced = (
  head: string,
  entries: Stream.Stream<ReadonlyArray<string>, StorageError>,
  tail: string,
  data: object,
  envelope: object
): Pieces => {
  const body = Stream.suspend(() => {
    let separator = ""
    return Stream.map(entries, (texts) => {
      if (texts.length === 0) return ""
      const piece = separator + texts.join(",")
      separator = ","
      return piece
    })
  })
  return Stream.succeed(head).pipe(
    Stream.concat(body),
    Stream.concat(Stream.sync(() => `${tail}${more(data)}}${more(envelope)}}\n`))
  )
}

/** The fields of an object, each behind a comma. */
const more = (fields: object): string => {
  const text = encodeLine(fields).slice(1, -2)
  return text === "" ? "" : `,${text}`
}
