/** What stands in the file of a segment, line by line: for `inspect`. A line that cannot be read hides no other. */
import { readdir, stat } from "node:fs/promises"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { isSideFile } from "../../layers/store/SegmentNames.ts"
import type { LogEntry, Outcome } from "../protocol/LogEntry.ts"
import type { BaseRecord } from "../protocol/PodRecord.ts"
import { decodeEntry, decodeRecord } from "../session/DecodeEntry.ts"
import { isTooDeep } from "../session/Depth.ts"
import { scan, type ScannedLine } from "../session/LineScan.ts"
import type { SegmentFile, SegmentRef } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Machine } from "./Machine.ts"

export interface RunFact {
  readonly run_id: string
  readonly leg: number
  readonly kind: string
  /** Unix milliseconds. */
  readonly started: number
  readonly ended?: number
  readonly result?: string
  readonly error?: string
  readonly usage?: Outcome["usage"]
}

export interface HiddenFact {
  readonly op: "rewind" | "rollback"
  /** Line of the mark in the file, from 0; it hides the lines from ≤ i < to. */
  readonly mark: number
  readonly from: number
  readonly to: number
}

export interface SegmentFacts {
  readonly path: string
  readonly bytes: number
  readonly lines: number
  /** Bytes behind the last whole batch. */
  readonly torn_bytes: number
  readonly bad_lines: ReadonlyArray<Pick<ScannedLine, "line" | "byte" | "bytes" | "problem" | "seems">>
  readonly format?: number
  readonly hidden: ReadonlyArray<HiddenFact>
  /** The last ones, oldest first. */
  readonly runs: ReadonlyArray<RunFact>
}

const runsKept = 10

class Facts {
  readonly bad: Array<ScannedLine> = []
  readonly runs: Array<RunFact> = []
  format: number | undefined
  hidden: Array<HiddenFact> = []

  see(scanned: ScannedLine): void {
    const { entry, line, problem } = scanned
    if (problem !== undefined) this.bad.push(scanned)
    if (entry?.kind === "run_completed" || entry?.kind === "run_errored") this.ended(entry)
    if (entry?.kind !== "extension") return
    const record = decodeRecord(entry)
    if (record?.domain === "pod.format") this.format = record.payload.version
    if (record?.domain === "pod.run") {
      const { kind, leg, run_id } = record.payload
      this.runs.push({ run_id, leg, kind, started: entry.ts })
      if (this.runs.length > runsKept) this.runs.shift()
    }
    if (record?.domain !== "pod.mark") return
    const { payload } = record
    if (payload.op === "undo") {
      this.hidden = this.hidden.filter(({ mark }) => mark !== payload.mark)
      return
    }
    this.hidden.push({ op: payload.op, mark: line, from: payload.from, to: payload.to })
    if (payload.op !== "rollback" || payload.run_id === undefined) return
    this.close(payload.run_id, payload.leg ?? 1, {
      ended: entry.ts,
      ...outcomeFacts(payload.outcome as Outcome | undefined)
    })
  }

  private ended(entry: Extract<LogEntry, { readonly kind: "run_completed" | "run_errored" }>): void {
    const result = entry.kind === "run_completed" ? entry.result : "failed"
    if (entry.run_id === undefined) return
    this.close(entry.run_id, entry.leg ?? 1, { result, ended: entry.ts, ...outcomeFacts(entry.outcome) })
  }

  private close(runId: string, leg: number, facts: Partial<RunFact>): void {
    const at = this.runs.findIndex((run) => run.run_id === runId && run.leg === leg)
    const run = this.runs[at]
    if (run !== undefined) this.runs[at] = { ...run, ...facts }
  }
}

const outcomeFacts = (outcome: Outcome | undefined): Partial<RunFact> =>
  outcome === undefined
    ? {}
    : {
        result: outcome.result,
        usage: outcome.usage,
        ...(outcome.error === undefined ? {} : { error: `${outcome.error.code}: ${outcome.error.message}` })
      }

export const factsOf = Effect.fn("SegmentFacts.factsOf")(function* (
  machine: Machine,
  ref: SegmentRef
): Effect.fn.Return<SegmentFacts, StorageError> {
  const facts = new Facts()
  const { committed, file, lines, size } = yield* Effect.scoped(
    Effect.gen(function* () {
      const opened = yield* machine.sessions.open(ref)
      const scanned = yield* scan(opened, (batch) => batch.forEach((line) => facts.see(line)))
      return { ...scanned, file: opened.path }
    })
  )
  return {
    path: file,
    bytes: size,
    lines,
    torn_bytes: size - committed,
    bad_lines: facts.bad.map(({ byte, bytes, line, problem, seems }) => ({ line, byte, bytes, problem, seems })),
    ...(facts.format === undefined ? {} : { format: facts.format }),
    hidden: facts.hidden,
    runs: facts.runs
  }
})

export interface Lineage {
  readonly forked_from?: unknown
  readonly compacted_from?: unknown
  /** The segment that this one goes on from. */
  readonly base?: BaseRecord
}

/** Lines at the front of a segment that say where it comes from. */
const frontLines = 16

/** The session that a segment was written in; undefined if its first line does not say so. */
export const writtenIn = (
  machine: Pick<Machine, "sessions">,
  ref: SegmentRef
): Effect.Effect<string | undefined, StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const [bytes] = yield* frontOf(yield* machine.sessions.open(ref), 1)
      const entry = bytes === undefined ? undefined : entryIn(bytes)
      return entry?.kind === "segment_start" ? entry.session_id : undefined
    })
  )

export const lineageOf = (machine: Pick<Machine, "sessions">, ref: SegmentRef): Effect.Effect<Lineage, StorageError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const lines = yield* frontOf(yield* machine.sessions.open(ref), frontLines)
      return Object.assign({}, ...lines.map(lineageIn)) as Lineage
    })
  )

/** The first lines, as many as there are up to `count`. */
const frontOf = Effect.fnUntraced(function* (file: SegmentFile, count: number) {
  const size = yield* file.size
  const lines: Array<Uint8Array> = []
  let at = 0
  while (lines.length < count && at < size) {
    let bytes = new Uint8Array(0)
    let end = -1
    for (let window = 65_536; end < 0 && bytes.length < size - at; window *= 4) {
      bytes = new Uint8Array(yield* file.read(at, Math.min(size, at + window)))
      end = bytes.indexOf(0x0a)
    }
    if (end < 0) break
    at += end + 1
    lines.push(bytes.subarray(0, end))
  }
  return lines
})

const entryIn = (line: Uint8Array): LogEntry | undefined => {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(line))
    return isTooDeep(json, line.length) ? undefined : decodeEntry(json)
  } catch {
    return undefined
  }
}

const lineageIn = (line: Uint8Array): Lineage => {
  const entry = entryIn(line)
  if (entry?.kind === "extension" && entry.domain === "pod.base") {
    const record = decodeRecord(entry)
    return record?.domain === "pod.base" ? { base: record.payload } : {}
  }
  if (entry?.kind !== "segment_start") return {}
  const { compacted_from, forked_from } = entry
  return {
    ...(forked_from == null ? {} : { forked_from }),
    ...(compacted_from == null ? {} : { compacted_from })
  }
}

export interface SideFile {
  readonly path: string
  readonly bytes: number
}

/** What was put aside when the segment was mended. */
export const sideFilesOf = (machine: Machine, ref: SegmentRef): Effect.Effect<ReadonlyArray<SideFile>> =>
  Effect.promise(async () => {
    const directory = dirname(machine.segmentPath(ref.sessionId, ref.segmentId))
    const names = await readdir(directory).catch(() => [])
    const found: Array<SideFile> = []
    for (const name of names.filter((candidate) => isSideFile(candidate, ref.segmentId)).toSorted()) {
      const path = join(directory, name)
      const info = await stat(path).catch(() => undefined)
      if (info !== undefined) found.push({ path, bytes: info.size })
    }
    return found
  })
