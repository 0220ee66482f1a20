/**
 * The log as texts: entries as they stand in the file, read in pieces with backpressure.
 *
 * A segment that goes on behind another names it and does not copy it. Readers of the log see its first entry with the
 * history filled in, as if it had been copied.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { encodeLine } from "../protocol/Wire.ts"
import * as History from "./History.ts"
import type { ByteRange, LogView } from "./LogIndex.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** A log as it was at one moment. It stays readable, whatever happens to the pod. */
export interface LogSource {
  readonly file: SegmentFile | undefined
  readonly view: LogView
  /** What its first entry is filled in with. */
  readonly inherited: ReadonlyArray<History.HistorySlot> | undefined
}

/**
 * Stands on an event that carries entries of the log. Whoever writes the event reads them from there; `data` holds none,
 * so that no log is ever held in memory for it.
 */
export const lateLog: unique symbol = Symbol("effect-pod/lateLog")

/** Bytes of one read. */
const chunkBytes = 256 * 1024

/** The entries from ≤ i < to; each element of the stream is a run of them. */
export const readLog = (
  { file, inherited, view }: LogSource,
  from: number,
  to: number
): Stream.Stream<ReadonlyArray<string>, StorageError> => {
  if (file === undefined) return Stream.empty
  const plain = (first: number) =>
    Stream.fromIterable(view.ranges(first, to, chunkBytes)).pipe(Stream.mapEffect((range) => linesOf(file, range)))
  if (inherited === undefined || from > 0 || to <= 0 || view.total === 0) return plain(from)
  return Stream.concat(
    Stream.fromEffect(Effect.map(filled(file, view, inherited), (text) => [text])),
    Stream.suspend(() => plain(1))
  )
}

const linesOf = (file: SegmentFile, range: ByteRange): Effect.Effect<ReadonlyArray<string>, StorageError> =>
  Effect.map(file.read(range.from, range.to), (bytes) => new TextDecoder().decode(bytes).trimEnd().split("\n"))

/** As the first entry of such a segment is written. A quote inside of a string is escaped, so this is the key itself. */
const empty = '"history":[]'

const filled = Effect.fnUntraced(function* (
  file: SegmentFile,
  view: LogView,
  inherited: ReadonlyArray<History.HistorySlot>
) {
  const [range] = view.ranges(0, 1, chunkBytes)
  const [line = ""] = range === undefined ? [] : yield* linesOf(file, range)
  const at = line.indexOf(empty)
  if (at < 0) {
    return yield* new StorageError({
      reason: "Corrupt",
      operation: "read",
      path: file.path,
      line: 0,
      byte: 0,
      message: `${file.path}, line 1, byte 0: it goes on behind another segment, and its first entry does not begin one`
    })
  }
  const items = yield* History.read(inherited)
  const history = encodeLine(items.map(({ item }) => item)).trimEnd()
  return `${line.slice(0, at)}"history":${history}${line.slice(at + empty.length)}`
})
