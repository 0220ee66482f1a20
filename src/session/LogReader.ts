/**
 * The log as text: entries as they stand in the file, read in pieces with backpressure.
 *
 * A segment that goes on behind another names it and does not copy it. Readers of the log see its first entry with the
 * history filled in, as if it had been copied.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { encodeLine } from "../protocol/Wire.ts"
import type { SessionState } from "./Fold.ts"
import * as History from "./History.ts"
import type { ByteRange, LogView } from "./LogIndex.ts"
import { enclosed, type Pieces, separated } from "./Pieces.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** A log as it was at one moment. It stays readable, whatever happens to the pod. */
export interface LogSource {
  readonly file: SegmentFile | undefined
  readonly view: LogView
  readonly inherited: Inherited | undefined
}

/** What its first entry is filled in with. */
export interface Inherited {
  readonly state: Readonly<Pick<SessionState, "history" | "tasks">>
}

/**
 * Stands on an event that carries entries of the log. Whoever writes the event reads them from there; `data` holds none,
 * so that no log is ever held in memory for it.
 */
export const lateLog: unique symbol = Symbol("effect-pod/lateLog")

/** Bytes of one read. */
const chunkBytes = 256 * 1024

/**
 * The entries from ≤ i < to as one text, with commas between them. A piece is what is read at a time; of an entry that is
 * filled in, a few items.
 */
export const readText = (log: LogSource, from: number, to: number): Pieces => {
  const plain = (first: number) => Stream.map(lines(log, first, to), (run) => run.join(","))
  if (!isFilled(log, from, to)) return separated(plain(from))
  return Stream.concat(
    filled(log),
    Stream.suspend(() => Stream.map(plain(1), (text) => `,${text}`))
  )
}

/**
 * The same entries as a text each; an element of the stream is a run of them. One that is filled in is as long as all
 * that was said before it: `readText` holds less.
 */
export const readLog = (
  log: LogSource,
  from: number,
  to: number
): Stream.Stream<ReadonlyArray<string>, StorageError> =>
  isFilled(log, from, to)
    ? Stream.concat(
        Stream.fromEffect(Effect.map(whole(log), (text) => [text])),
        Stream.suspend(() => lines(log, 1, to))
      )
    : lines(log, from, to)

/** The entries as they stand in the file. */
const lines = (
  { file, view }: LogSource,
  from: number,
  to: number
): Stream.Stream<ReadonlyArray<string>, StorageError> =>
  file === undefined
    ? Stream.empty
    : Stream.fromIterable(view.ranges(from, to, chunkBytes)).pipe(Stream.mapEffect((range) => linesOf(file, range)))

const linesOf = (file: SegmentFile, range: ByteRange): Effect.Effect<ReadonlyArray<string>, StorageError> =>
  Effect.map(file.read(range.from, range.to), (bytes) => {
    const text = new TextDecoder().decode(bytes).trimEnd()
    // A mark of the byte order is no part of a line. The decoder takes off the one in front, as it does in a replay.
    return text.replaceAll("\n\ufeff", "\n").split("\n")
  })

/** A log whose first entry says less than it stands for. */
interface Behind extends LogSource {
  readonly file: SegmentFile
  readonly inherited: Inherited
}

/** The first entry is asked for, and has to be filled in. */
const isFilled = (log: LogSource, from: number, to: number): log is Behind =>
  log.file !== undefined && log.inherited !== undefined && from <= 0 && to > 0 && log.view.total > 0

/** As the first entry of such a segment is written. A quote inside of a string is escaped, so this is the key itself. */
const empty = '"history":[]'

/** The first entry, filled in. */
const filled = ({ file, inherited, view }: Behind): Pieces =>
  Stream.unwrap(
    Effect.gen(function* () {
      const [range] = view.ranges(0, 1, chunkBytes)
      const [line = ""] = range === undefined ? [] : yield* linesOf(file, range)
      const at = line.indexOf(empty)
      if (at < 0) return yield* notBehind(file)
      const end = at + empty.length - 1
      const { history, tasks } = inherited.state
      const behind = tasks.list.length === 0 ? "" : `,"tasks":${JSON.stringify(tasks.list)}`
      return enclosed(line.slice(0, end), separated(encoded(history.settled)), `]${behind}${line.slice(end + 1)}`)
    })
  )

/** The items of the history as JSON. What else the process has to do has its turn before each piece. */
const encoded = (slots: ReadonlyArray<History.HistorySlot>): Pieces =>
  History.read(slots).pipe(
    Stream.flatMap((items) => Stream.fromIterable(texts(items), { chunkSize: 1 })),
    Stream.tap(() => Effect.yieldNow)
  )

function* texts(items: ReadonlyArray<History.HistoryItem>): Generator<string> {
  let piece = ""
  for (const { item } of items) {
    const text = encodeLine(item).trimEnd()
    if (piece === "") piece = text
    else if (piece.length + text.length < chunkBytes) piece += `,${text}`
    else {
      yield piece
      piece = text
    }
  }
  if (piece !== "") yield piece
}

const whole = Effect.fnUntraced(function* (log: Behind): Effect.fn.Return<string, StorageError> {
  const pieces = yield* Stream.runCollect(filled(log))
  return yield* Effect.try({ try: () => pieces.join(""), catch: () => tooLong(log.file) })
})

const notBehind = (file: SegmentFile) =>
  new StorageError({
    reason: "Corrupt",
    operation: "read",
    path: file.path,
    line: 0,
    byte: 0,
    message: `${file.path}, line 1, byte 0: it goes on behind another segment, and its first entry does not begin one`
  })

const tooLong = (file: SegmentFile) =>
  new StorageError({
    reason: "Io",
    operation: "read",
    path: file.path,
    line: 0,
    byte: 0,
    message: `${file.path}, line 1: what the session goes on behind is too long to be one text`,
    hint: "read the entries behind it, from number 1 on"
  })
