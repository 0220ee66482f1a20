/**
 * Looks at every line of a segment file by itself, also behind one that cannot be read. For those who want to know what
 * is in a file or to mend it; what a session is comes from `Replay` alone.
 */
import * as Effect from "effect/Effect"
import type { LogEntry } from "../protocol/LogEntry.ts"
import { decodeEntry } from "./DecodeEntry.ts"
import { type JsonLine, jsonLines } from "./JsonLines.ts"
import { recordProblem } from "./RecordProblem.ts"
import type { SegmentFile } from "./SessionStore.ts"
import type { StorageError } from "./StorageError.ts"

export interface ScannedLine {
  /** From 0, as marks count. */
  readonly line: number
  /** Where it begins. */
  readonly byte: number
  /** Without its newline. */
  readonly bytes: number
  /** Undefined for a blank line and for one that cannot be read. */
  readonly entry: LogEntry | undefined
  /** Why it cannot be read. */
  readonly problem: string | undefined
  /** Lines of the same batch that follow. For a line that cannot be read: as many as the line before it promises. */
  readonly more: number
  /** What it seems to have been, for a line that cannot be read: its kind, or the domain of its record. */
  readonly seems: string | undefined
}

export interface Scanned {
  readonly lines: number
  /** Bytes up to the end of the last whole batch. */
  readonly committed: number
  /** Lines of a batch behind it whose last line is not there. */
  readonly open: ReadonlyArray<ScannedLine>
  readonly size: number
}

const chunkBytes = 1 << 20

/** `onBatch` gets the lines of each whole batch; those of a batch that was cut it never sees. */
export const scan = Effect.fn("LineScan.scan")(function* (
  file: SegmentFile,
  onBatch: (lines: ReadonlyArray<ScannedLine>) => void
): Effect.fn.Return<Scanned, StorageError> {
  const size = yield* file.size
  let open: Array<ScannedLine> = []
  let lines = 0
  let committed = 0
  let window = chunkBytes
  let at = 0
  while (at < size) {
    const bytes = yield* file.read(at, Math.min(size, at + window))
    let start = 0
    for (const found of jsonLines(bytes)) {
      start = found.from + found.bytes
      const line = lines + open.length
      const scanned = look(found, line, bytes.subarray(found.from, start), (open.at(-1)?.more ?? 0) - 1)
      open.push({ line, byte: at + found.from, bytes: found.bytes - 1, ...scanned })
      if (scanned.more > 0) continue
      onBatch(open)
      lines += open.length
      committed = at + start
      open = []
    }
    if (start === 0 && (bytes.length === 0 || at + bytes.length >= size)) break
    // A line that is longer than the window: look again with a larger one.
    window = start === 0 ? window * 2 : chunkBytes
    at += start
  }
  return { lines, committed, open, size }
})

type Looked = Pick<ScannedLine, "entry" | "problem" | "more" | "seems">

/** What a restore would not take is bad here too, or a repair would leave it behind. */
const look = (line: JsonLine, at: number, bytes: Uint8Array, promised: number): Looked => {
  if (line._tag === "Blank") return { entry: undefined, problem: undefined, more: 0, seems: undefined }
  const entry = line._tag === "Json" ? decodeEntry(line.json) : undefined
  if (entry !== undefined) {
    const problem = recordProblem(entry, at)
    const more = entry.more ?? 0
    return problem === undefined
      ? { entry, problem, more, seems: undefined }
      : { entry: undefined, problem, more, seems: seemsOf(bytes) }
  }
  return {
    entry: undefined,
    problem: line._tag === "Json" ? unknownEntry(line.json) : line.problem,
    more: Math.max(0, promised),
    seems: seemsOf(bytes)
  }
}

const unknownEntry = (json: unknown): string => {
  const { kind } = (json ?? {}) as { readonly kind?: unknown }
  return `not a log entry that this version knows${typeof kind === "string" ? ` (kind ${kind})` : ""}`
}

/** Enough of the line for what stands at its front. */
const frontBytes = 4_096

const seemsOf = (bytes: Uint8Array): string | undefined => {
  const front = new TextDecoder().decode(bytes.subarray(0, frontBytes))
  const domain = /"domain":"([a-z_.]{1,40})"/.exec(front)?.[1]
  return domain ?? /"kind":"([a-z_]{1,40})"/.exec(front)?.[1]
}
