/**
 * Reads a segment file from its first byte and folds it: what was committed, and nothing else.
 *
 * A line is complete with its newline, a batch with its last line. A tail that is not is reported, not read. A committed
 * line that cannot be read stops everything with its place: nothing is guessed. A segment that goes on behind another
 * is read with it: first what the base holds up to the byte that is named, then its own lines.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Extension, LogEntry } from "../protocol/LogEntry.ts"
import { type BaseRecord, formatVersion, type PodRecord } from "../protocol/PodRecord.ts"
import { type Checkpoint, checkpoint } from "./Checkpoint.ts"
import { Content, type Heritage } from "./Content.ts"
import { decodeEntry, decodeRecord } from "./DecodeEntry.ts"
import { type JsonLine, jsonLines } from "./JsonLines.ts"
import type { HiddenRange } from "./Marks.ts"
import { recordProblem } from "./RecordProblem.ts"
import type { SegmentFile, SessionStore } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

export interface Replayed {
  readonly content: Content
  /** Bytes behind the last whole batch: a write that was cut. 0 if the file ends well. */
  readonly tornBytes: number
}

/** What a segment goes on behind: what the first `bytes` of another hold. */
export interface Base {
  readonly heritage: Heritage
  readonly bytes: number
}

export interface ReplayOptions {
  /** Finds bases. */
  readonly sessions: Pick<SessionStore["Service"], "open">
  /** Bytes of the file that count; default: all that there are. */
  readonly upTo?: number
  /** The last of these bytes may cut a batch: what comes behind it was given up on purpose. */
  readonly cutsBatch?: boolean
  /** A base that was read already, or that is of the pod's own content. */
  readonly known?: Base
  /** What is hidden, instead of what the marks in the file say. */
  readonly marks?: ReadonlyArray<HiddenRange>
}

const chunkBytes = 1 << 20
/** Segments that one may go on behind; more are a circle, or as bad as one. Nothing is written that a start would refuse. */
export const maxDepth = 1_000

export const replay: (file: SegmentFile, options: ReplayOptions) => Effect.Effect<Replayed, StorageError, Scope.Scope> =
  Effect.fn("Replay.replay")((file, options) => replayAt(file, options, 0))

const replayAt = (
  file: SegmentFile,
  options: ReplayOptions,
  depth: number
): Effect.Effect<Replayed, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* pass(file, options, options.marks, depth)
    if (first.isExact) return first
    // Rewinds are rare. Only a file that has one is read again, now knowing what its marks hide; its base is not.
    const again = first.under === undefined ? options : { ...options, known: first.under }
    return yield* pass(file, again, first.content.marks, depth)
  })

interface Pass extends Replayed {
  /** Nothing was folded that a mark hides. */
  readonly isExact: boolean
  readonly under: Base | undefined
}

/** `hidden`: what marks hide; undefined if it is not known yet. */
const pass = Effect.fnUntraced(function* (
  file: SegmentFile,
  options: ReplayOptions,
  hidden: ReadonlyArray<HiddenRange> | undefined,
  depth: number
): Effect.fn.Return<Pass, StorageError, Scope.Scope> {
  const content = new Content(hidden)
  const { index, state } = content
  /** Lines of a batch whose last line has not come yet. */
  let open: Array<{ readonly entry: LogEntry | undefined; readonly bytes: number }> = []
  const size = Math.min(yield* file.size, options.upTo ?? Infinity)
  let window = chunkBytes
  let at = 0
  /** Where the last run began and what there was before it: most marks undo just that, as the pod itself did. */
  let run: { readonly from: number; readonly checkpoint: Checkpoint } | undefined
  let isExact = true
  let under: Base | undefined
  while (at < size) {
    const bytes = yield* file.read(at, Math.min(size, at + window))
    let start = 0
    for (const found of jsonLines(bytes)) {
      const line = index.lines + open.length
      const read = entryOf(found, line)
      if (typeof read === "string") return yield* corrupt(file, line, at + found.from, read)
      // What comes behind it, also in the same batch, may be of kinds that this version cannot know.
      const version = formatOf(read.entry)
      if (version > formatVersion) return yield* newer(file, version)
      open.push({ entry: read.entry, bytes: found.bytes })
      start = found.from + found.bytes
      // A batch counts when its last line is there: before that, none of it has happened.
      if (read.more > 0) continue
      let begins = hidden === undefined && open.some(({ entry }) => isRecord(entry, "pod.run"))
      for (const { bytes: length, entry } of open) {
        const record = isRecord(entry, "pod.base") || isRecord(entry, "pod.mark") ? decodeRecord(entry) : undefined
        if (record?.domain === "pod.base" && content.base === undefined) {
          under = yield* readBase(file, record.payload, options, depth)
          content.inherit(record.payload, under.heritage)
        }
        if (record?.domain === "pod.mark" && hidden === undefined) {
          const { payload } = record
          const undoes = payload.op === "rollback" && payload.from === run?.from && payload.to === index.lines
          if (undoes && run !== undefined) content.rollback(run.from, run.checkpoint, file.ref.segmentId)
          else isExact = false
        }
        if (begins && !opens(entry)) {
          run = { from: index.lines, checkpoint: checkpoint(state) }
          begins = false
        }
        content.add(entry, length, file.ref.segmentId, file)
      }
      open = []
    }
    if (start === 0 && (bytes.length === 0 || at + bytes.length >= size)) break
    // A line that is longer than the window: look again with a larger one.
    window = start === 0 ? window * 2 : chunkBytes
    at += start
  }
  const cut = open.reduce((sum, { bytes }) => sum + bytes, index.bytes)
  if (options.cutsBatch === true && cut === size) {
    for (const { bytes, entry } of open) content.add(entry, bytes, file.ref.segmentId, file)
  }
  if (options.marks !== undefined) content.marks = options.marks
  return { content, tornBytes: size - index.bytes, isExact, under }
})

/** The base is folded first, under what this segment has said of itself; what stands behind the named byte is not ours. */
const readBase = Effect.fnUntraced(function* (
  file: SegmentFile,
  record: BaseRecord,
  options: ReplayOptions,
  depth: number
): Effect.fn.Return<Base, StorageError, Scope.Scope> {
  const { known } = options
  const isKnown = known?.heritage.segments[0].file.ref.segmentId === record.segment && known.bytes === record.bytes
  const below = isKnown ? known.heritage.segments.length - 1 : 0
  if (depth + below >= maxDepth) return yield* tooMany(file)
  if (isKnown) return known
  const ref = { sessionId: file.ref.sessionId, segmentId: record.segment }
  const under = yield* Effect.catchIf(
    options.sessions.open(ref),
    ({ reason }) => reason === "NotFound",
    () => broken(file, record, "there is no such segment in its session")
  )
  if ((yield* under.size) < record.bytes) return yield* broken(file, record, "that segment is shorter now")
  const read = yield* replayAt(under, { sessions: options.sessions, upTo: record.bytes, cutsBatch: true }, depth + 1)
  if (read.tornBytes > 0) return yield* broken(file, record, "no line of it ends there")
  return { heritage: read.content.heritage(under), bytes: record.bytes }
})

const isRecord = (entry: LogEntry | undefined, domain: PodRecord["domain"]): entry is Extension =>
  entry?.kind === "extension" && entry.domain === domain

/** The first lines of a segment stand in one batch with the first run, and stay when it is undone. */
const opens = (entry: LogEntry | undefined): boolean =>
  entry?.kind === "segment_start" || isRecord(entry, "pod.scope") || isRecord(entry, "pod.format")

interface Line {
  /** Undefined for a blank line. */
  readonly entry: LogEntry | undefined
  /** Lines of the same batch that follow. */
  readonly more: number
}

/** The line, which stands on line `at` of the file, or a text that says why it cannot be read. */
const entryOf = (line: JsonLine, at: number): Line | string => {
  if (line._tag === "Blank") return { entry: undefined, more: 0 }
  if (line._tag === "Unreadable") return line.problem
  const entry = decodeEntry(line.json)
  if (entry !== undefined) return recordProblem(entry, at) ?? { entry, more: entry.more ?? 0 }
  const { kind } = (line.json ?? {}) as { readonly kind?: unknown }
  return `not a log entry that this version knows${typeof kind === "string" ? ` (kind ${kind})` : ""}`
}

/** The version that a `pod.format` names; 0 for any other entry. */
const formatOf = (entry: LogEntry | undefined): number =>
  entry?.kind === "extension" && entry.domain === "pod.format"
    ? (entry.payload as { readonly version: number }).version
    : 0

const corrupt = (file: SegmentFile, line: number, byte: number, message: string) =>
  new StorageError({
    reason: "Corrupt",
    operation: "read",
    path: file.path,
    message: `${file.path}, line ${line + 1}, byte ${byte}: ${message}`,
    line,
    byte,
    hint: "nothing was changed; effect-pod repair sets a bad line aside and keeps the rest"
  })

const broken = (file: SegmentFile, { bytes, segment }: BaseRecord, why: string) =>
  new StorageError({
    reason: "Corrupt",
    operation: "read",
    path: file.path,
    message: `${file.path} goes on behind byte ${bytes} of segment ${segment}, but ${why}`,
    hint: "nothing was changed; bring the segment back into the session's directory"
  })

const tooMany = ({ path }: SegmentFile) =>
  new StorageError({
    reason: "Corrupt",
    operation: "read",
    path,
    message: `${path} would go on behind more than ${maxDepth} segments, one behind another; no more are read`,
    hint: "nothing was changed; effect-pod export and import make one segment of all of them"
  })

const newer = (file: SegmentFile, version: number) =>
  new StorageError({
    reason: "Newer",
    operation: "read",
    path: file.path,
    message: `${file.path} has format ${version}; this version of effect-pod reads formats up to ${formatVersion}`,
    hint: "open it with the newer version that wrote it"
  })
