/**
 * Reads a segment file from its first byte and folds it: what was committed, and nothing else.
 *
 * A line is complete with its newline, a batch with its last line. A tail that is not is reported, not read. A committed line that cannot be read stops
 * everything with its place: nothing is guessed.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { LogEntry } from "../protocol/LogEntry.ts"
import { formatVersion, isControl } from "../protocol/PodRecord.ts"
import * as Fold from "./Fold.ts"
import { type HiddenRange, LogIndex } from "./LogIndex.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

export interface Replayed {
  readonly state: Fold.SessionState
  readonly index: LogIndex
  /** Bytes behind the last whole batch: a write that was cut. 0 if the file ends well. */
  readonly tornBytes: number
}

const chunkBytes = 1 << 20
const newline = 0x0a

type DecodeEntry = (json: unknown) => Exit.Exit<LogEntry, unknown>

/** One decoder for each kind: trying a line against all of them takes most of the time of a long replay. */
const decoders: ReadonlyMap<unknown, DecodeEntry> = new Map(
  LogEntry.members.map((member) => [
    member.fields.kind.schema.literal,
    Schema.decodeUnknownExit(member as Schema.Codec<LogEntry, unknown>) as DecodeEntry
  ])
)

export const replay = Effect.fn("Replay.replay")(function* (file: SegmentFile) {
  const first = yield* pass(file, [])
  // Marks are rare. Only a file that has some is read again, now knowing what they hide.
  return first.hidden.length === 0 ? first.replayed : (yield* pass(file, first.hidden)).replayed
})

const pass = Effect.fnUntraced(function* (file: SegmentFile, hidden: ReadonlyArray<HiddenRange>) {
  const state = Fold.make()
  const index = new LogIndex(hidden)
  const text = new TextDecoder("utf-8", { fatal: true })
  let marks: Array<HiddenRange> = []
  /** Lines of a batch whose last line has not come yet. */
  let open: Array<{ readonly entry: LogEntry | undefined; readonly bytes: number }> = []
  const size = yield* file.size
  let window = chunkBytes
  let at = 0
  while (at < size) {
    const bytes = yield* file.read(at, Math.min(size, at + window))
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      const line = index.lines + open.length
      const read = decodeLine(text, bytes.subarray(start, end))
      if (typeof read === "string") return yield* corrupt(file, line, at + start, read)
      open.push({ entry: read.entry, bytes: end + 1 - start })
      start = end + 1
      // A batch counts when its last line is there: before that, none of it has happened.
      if (read.more > 0) continue
      for (const { bytes: length, entry } of open) {
        const control = entry === undefined || isControl(entry)
        if (entry !== undefined) marks = collectMark(marks, entry, index.lines)
        const visible = index.add(length, control)
        if (entry !== undefined && (visible || control)) Fold.apply(state, entry)
      }
      open = []
      // What comes behind it may be of kinds that this version cannot know.
      if (state.format !== undefined && state.format > formatVersion) return yield* newer(file, state.format)
    }
    if (start === 0 && (bytes.length === 0 || at + bytes.length >= size)) break
    // A line that is longer than the window: look again with a larger one.
    window = start === 0 ? window * 2 : chunkBytes
    at += start
  }
  return { hidden: marks, replayed: { state, index, tornBytes: size - index.bytes } satisfies Replayed }
})

interface Line {
  /** Undefined for a blank line. */
  readonly entry: LogEntry | undefined
  /** Lines of the same batch that follow. */
  readonly more: number
}

/** The line, or a text that says why it cannot be read. */
const decodeLine = (text: TextDecoder, bytes: Uint8Array): Line | string => {
  let json: unknown
  try {
    const content = text.decode(bytes)
    if (content.trim() === "") return { entry: undefined, more: 0 }
    json = JSON.parse(content)
  } catch (cause) {
    return cause instanceof SyntaxError ? "not JSON" : "not UTF-8"
  }
  const { kind, more } = (json ?? {}) as { readonly kind?: unknown; readonly more?: unknown }
  const entry = decoders.get(kind)?.(json)
  if (entry !== undefined && Exit.isSuccess(entry)) {
    return { entry: entry.value, more: typeof more === "number" ? more : 0 }
  }
  return `not a log entry that this version knows${typeof kind === "string" ? ` (kind ${kind})` : ""}`
}

const corrupt = (file: SegmentFile, line: number, byte: number, message: string) =>
  new StorageError({
    reason: "Corrupt",
    operation: "read",
    path: file.path,
    message: `${file.path}, line ${line + 1}, byte ${byte}: ${message}`,
    line,
    byte,
    hint: "nothing was changed; keep a copy of the file before you repair it"
  })

const newer = (file: SegmentFile, version: number) =>
  new StorageError({
    reason: "Newer",
    operation: "read",
    path: file.path,
    message: `${file.path} has format ${version}; this version of effect-pod reads formats up to ${formatVersion}`,
    hint: "open it with the newer version that wrote it"
  })

const collectMark = (marks: Array<HiddenRange>, entry: LogEntry, line: number): Array<HiddenRange> => {
  if (entry.kind !== "extension" || entry.domain !== "pod.mark") return marks
  const payload = entry.payload as {
    readonly op?: string
    readonly from?: number
    readonly to?: number
    readonly mark?: number
  }
  if (payload.op === "undo") return marks.filter((range) => range.mark !== payload.mark)
  if (typeof payload.from !== "number" || typeof payload.to !== "number") return marks
  return [...marks, { mark: line, from: payload.from, to: payload.to }]
}
