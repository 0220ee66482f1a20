/**
 * Looks at every line of a segment file by itself, also behind one that cannot be read. For those who want to know what
 * is in a file or to mend it; what a session is comes from `Replay` alone.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { LogEntry } from "../protocol/LogEntry.ts"
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
  readonly size: number
}

const chunkBytes = 1 << 20
const newline = 0x0a

const decoders: ReadonlyMap<unknown, (json: unknown) => Exit.Exit<LogEntry, unknown>> = new Map(
  LogEntry.members.map((member) => [
    member.fields.kind.schema.literal,
    Schema.decodeUnknownExit(member as Schema.Codec<LogEntry, unknown>)
  ])
)

/** `onBatch` gets the lines of each whole batch; those of a batch that was cut it never sees. */
export const scan = Effect.fn("LineScan.scan")(function* (
  file: SegmentFile,
  onBatch: (lines: ReadonlyArray<ScannedLine>) => void
): Effect.fn.Return<Scanned, StorageError> {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  const size = yield* file.size
  let open: Array<ScannedLine> = []
  let lines = 0
  let committed = 0
  let window = chunkBytes
  let at = 0
  while (at < size) {
    const bytes = yield* file.read(at, Math.min(size, at + window))
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      const scanned = readLine(text, bytes.subarray(start, end), (open.at(-1)?.more ?? 0) - 1)
      open.push({ line: lines + open.length, byte: at + start, bytes: end - start, ...scanned })
      start = end + 1
      if (scanned.more > 0) continue
      onBatch(open)
      lines += open.length
      committed = at + start
      open = []
    }
    if (start === 0 && (bytes.length === 0 || at + bytes.length >= size)) break
    window = start === 0 ? window * 2 : chunkBytes
    at += start
  }
  return { lines, committed, size }
})

type Read = Pick<ScannedLine, "entry" | "problem" | "more" | "seems">

const readLine = (text: TextDecoder, bytes: Uint8Array, promised: number): Read => {
  const bad = (problem: string): Read => ({
    entry: undefined,
    problem,
    more: Math.max(0, promised),
    seems: seemsOf(bytes)
  })
  let content: string
  try {
    content = text.decode(bytes)
  } catch {
    return bad("not UTF-8")
  }
  if (content.trim() === "") return { entry: undefined, problem: undefined, more: 0, seems: undefined }
  let json: unknown
  try {
    json = JSON.parse(content)
  } catch {
    return bad("not JSON")
  }
  const { kind, more } = (json ?? {}) as { readonly kind?: unknown; readonly more?: unknown }
  const entry = decoders.get(kind)?.(json)
  if (entry === undefined || Exit.isFailure(entry)) {
    return bad(`not a log entry that this version knows${typeof kind === "string" ? ` (kind ${kind})` : ""}`)
  }
  return { entry: entry.value, problem: undefined, more: typeof more === "number" ? more : 0, seems: undefined }
}

/** Enough of the line for what stands at its front. */
const frontBytes = 4_096

const seemsOf = (bytes: Uint8Array): string | undefined => {
  const front = new TextDecoder().decode(bytes.subarray(0, frontBytes))
  const domain = /"domain":"([a-z_.]{1,40})"/.exec(front)?.[1]
  return domain ?? /"kind":"([a-z_]{1,40})"/.exec(front)?.[1]
}
