/**
 * A portable file as it is read for an import: its header, and the part that becomes a segment, every line of it
 * looked at. A file of the seed has no header; a segment file of ours counts as one.
 */
import * as Fs from "node:fs"
import { stat } from "node:fs/promises"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type OpenFile, openFile } from "../../layers/store/OpenFile.ts"
import { systemError } from "../../layers/store/SystemError.ts"
import type { LogEntry, SegmentStart } from "../protocol/LogEntry.ts"
import { formatVersion } from "../protocol/PodRecord.ts"
import { scan, type ScannedLine } from "../session/LineScan.ts"
import type { SegmentFile } from "../session/SessionStore.ts"
import { type CliError, failed } from "./CliError.ts"
import { storageError } from "./Failures.ts"
import { Header, portableVersion } from "./Portable.ts"

export interface PortableFile {
  readonly header: Header | undefined
  readonly entries: number
  /** The first entry, if it is what it should be. */
  readonly start: SegmentStart | undefined
  /** The run that had not ended when the file was written. */
  readonly openRun: { readonly runId: string | undefined; readonly leg: number } | undefined
  /** A write was cut at the end of a file without header; it is left out. */
  readonly cut: boolean
  /** Where the entries behind the first one are, in the file. */
  readonly rest: { readonly from: number; readonly to: number }
  readonly first: Uint8Array
  readonly file: OpenFile
}

const longestHeader = 65_536
const newline = 0x0a
const decodeHeader = Schema.decodeUnknownOption(Header)

export const read = Effect.fn("PortableFile.read")(function* (
  path: string
): Effect.fn.Return<PortableFile, CliError, Scope.Scope> {
  yield* isRegular(path)
  const file = yield* Effect.mapError(openFile(path, Fs.constants.O_RDONLY, systemError("open", path)), storageError)
  const front = yield* Effect.mapError(file.read(0, longestHeader), storageError)
  const header = yield* headerOf(path, front)
  const skip = header === undefined ? 0 : front.indexOf(newline) + 1
  const body = bodyOf(file, path, skip)
  const seen = new Seen()
  const { committed, size } = yield* Effect.mapError(
    scan(body, (lines) => lines.forEach((line) => seen.see(line))),
    storageError
  )
  // The header is a line too.
  const place = (line: number) => `${path}, line ${line + (header === undefined ? 1 : 2)}`
  // What a newer version wrote is not bad.
  if (seen.format > formatVersion) {
    return yield* failed(`${path} has format ${seen.format}; this version reads formats up to ${formatVersion}`)
  }
  if (seen.bad !== undefined) return yield* failed(`${place(seen.bad.line)}: ${seen.bad.problem}`, nothingMade)
  if (header !== undefined && (header.entries !== seen.count || committed !== size)) {
    return yield* failed(
      `${place(seen.count)}: the file was cut; it has ${seen.count} of ${header.entries} entries`,
      nothingMade
    )
  }
  if (seen.first === undefined) return yield* failed(`${path} has no entry`, nothingMade)
  if (seen.isBehind) {
    return yield* failed(`${path} goes on behind another segment, which is not in it`, "export its pod instead")
  }
  if (header === undefined && seen.start === undefined) {
    return yield* failed(`${place(0)}: it is no segment_start`, "expected a file of effect-pod export, or a segment")
  }
  const { byte, bytes } = seen.first
  return {
    header,
    entries: seen.count,
    start: seen.start,
    // In a segment file there is more to say about a run, and the next start says it.
    openRun: header === undefined ? undefined : seen.openRun,
    cut: committed !== size,
    rest: { from: skip + byte + bytes + 1, to: skip + committed },
    first: yield* Effect.mapError(body.read(byte, byte + bytes + 1), storageError),
    file
  }
})

/** A pipe gives its bytes once, and a file is read from several places. */
const isRegular = (path: string): Effect.Effect<void, CliError> =>
  Effect.tryPromise({ try: () => stat(path), catch: systemError("open", path, { ENOENT: "NotFound" }) }).pipe(
    Effect.mapError((error) => (error.reason === "NotFound" ? missing(path) : storageError(error))),
    Effect.flatMap((found) =>
      found.isFile() ? Effect.void : failed(`${path} is not a regular file`, "write what it brings to a file first")
    )
  )

const missing = (path: string): CliError =>
  failed(`${path}: there is no such file`, "name the file that effect-pod export NAME FILE has written, or a segment")

const nothingMade = "nothing was made of it"

/** Undefined for a file that begins with something else. */
const headerOf = (path: string, front: Uint8Array): Effect.Effect<Header | undefined, CliError> => {
  const end = front.indexOf(newline)
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder().decode(front.subarray(0, end < 0 ? front.length : end)))
  } catch {
    return Effect.undefined
  }
  if (typeof json !== "object" || json === null || !("export" in json)) return Effect.undefined
  const header = Option.getOrUndefined(decodeHeader(json))
  if (header === undefined) return failed(`${path}, line 1: not a header that this version knows`, nothingMade)
  if (header.version > portableVersion || header.log_format > formatVersion) {
    return failed(`${path}, line 1: it was exported by a newer version`, "import it with that version")
  }
  return Effect.succeed(header)
}

const bodyOf = (file: OpenFile, path: string, skip: number): SegmentFile => ({
  ref: { sessionId: "", segmentId: "" },
  path,
  size: Effect.map(file.stat, ({ size }) => size - skip),
  read: (from, to) => file.read(skip + from, skip + to),
  sync: Effect.void,
  isNamed: Effect.succeed(true),
  retire: Effect.void,
  append: () => Effect.die(new Error("a portable file is only read")),
  cutTail: () => Effect.die(new Error("a portable file is only read"))
})

class Seen {
  count = 0
  format = 0
  bad: ScannedLine | undefined
  first: ScannedLine | undefined
  start: SegmentStart | undefined
  openRun: PortableFile["openRun"]
  isBehind = false

  see(line: ScannedLine): void {
    if (line.problem !== undefined) this.bad ??= line
    const { entry } = line
    if (entry === undefined) return
    this.first ??= line
    this.count += 1
    if (line === this.first && entry.kind === "segment_start") this.start = entry
    if (entry.kind === "invoke") this.openRun = { runId: entry.run_id, leg: entry.leg ?? 1 }
    // A leg that goes on has no invoke of its own.
    if (entry.kind === "assistant_item" && entry.run_id !== undefined) {
      this.openRun = { runId: entry.run_id, leg: entry.leg ?? 1 }
    }
    if (entry.kind === "run_completed" || entry.kind === "run_errored") this.openRun = undefined
    if (entry.kind === "extension" && entry.domain === "pod.base") this.isBehind = true
    this.format = Math.max(this.format, formatOf(entry))
  }
}

const formatOf = (entry: LogEntry): number => {
  if (entry.kind !== "extension" || entry.domain !== "pod.format") return 0
  const version = (entry.payload as { readonly version?: unknown } | null)?.version
  return typeof version === "number" ? version : 0
}
