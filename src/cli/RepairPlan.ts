/**
 * What is wrong with the segments that a pod's log is made of, and what is put in the place of a line that cannot be
 * read: one line that people and the model see. A cut write at the end is no bad line; it never counted.
 */
import * as Effect from "effect/Effect"
import type { Replacement } from "../../layers/store/SegmentMending.ts"
import { lostLine, lostLineShort } from "../knowledge/Wrappers.ts"
import { defaultConfig, type LogEntry } from "../protocol/LogEntry.ts"
import { formatVersion } from "../protocol/PodRecord.ts"
import { decodeRecord } from "../session/DecodeEntry.ts"
import { scan, type ScannedLine } from "../session/LineScan.ts"
import type { SegmentRef } from "../session/SessionStore.ts"
import { StorageError } from "../session/StorageError.ts"
import type { Machine } from "./Machine.ts"
import { type Lineage, lineageOf } from "./SegmentFacts.ts"

/** A segment of a log, and how much of it belongs to that log. */
export interface Part {
  readonly ref: SegmentRef
  /** Undefined for the one that is written: all of it. */
  readonly upTo: number | undefined
  /** It goes on behind another one. */
  readonly isBehind: boolean
}

export interface Verified extends Part {
  readonly path: string
  readonly lines: number
  readonly bad: ReadonlyArray<ScannedLine>
  /** Bytes up to the end of the last whole batch, and behind it. */
  readonly committed: number
  readonly torn: number
}

/** Fails with `Newer` for a file of a format that this version does not know: what it has there is not bad. */
export const verify = Effect.fn("RepairPlan.verify")(function* (
  machine: Machine,
  part: Part
): Effect.fn.Return<Verified, StorageError> {
  const { ref, upTo } = part
  const bad: Array<ScannedLine> = []
  let format = 0
  const see = (line: ScannedLine): void => {
    // What stands behind is of no pod, or of another one.
    if (upTo !== undefined && line.byte >= upTo) return
    if (line.problem !== undefined) bad.push(line)
    if (line.entry?.kind !== "extension" || line.entry.domain !== "pod.format") return
    const record = decodeRecord(line.entry)
    if (record?.domain === "pod.format") format = record.payload.version
  }
  const { committed, lines, open, path, size } = yield* Effect.scoped(
    Effect.flatMap(machine.sessions.open(ref), (file) =>
      Effect.map(
        scan(file, (batch) => batch.forEach(see)),
        (scanned) => ({ ...scanned, path: file.path })
      )
    )
  )
  // A batch that another segment's base ends in counts as far as it goes.
  if (upTo !== undefined) open.forEach(see)
  if (format > formatVersion) {
    return yield* new StorageError({
      reason: "Newer",
      operation: "repair",
      path,
      message: `${path} has format ${format}; this version of effect-pod reads formats up to ${formatVersion}`,
      hint: "repair it with the newer version that wrote it"
    })
  }
  return { ...part, path, lines, bad, committed, torn: upTo === undefined ? size - committed : 0 }
})

/** The segment and those that it goes on behind, as far as they are there. */
export const partsOf = Effect.fn("RepairPlan.partsOf")(function* (
  machine: Machine,
  ref: SegmentRef
): Effect.fn.Return<ReadonlyArray<Part>, StorageError> {
  const all = yield* machine.sessions.list
  const there = new Set(all.flatMap((segment) => (segment.sessionId === ref.sessionId ? segment.segmentId : [])))
  const parts: Array<Part> = []
  let next: Omit<Part, "isBehind"> | undefined = { ref, upTo: undefined }
  while (next !== undefined) {
    there.delete(next.ref.segmentId)
    const { base }: Lineage = yield* lineageOf(machine, next.ref)
    parts.push({ ...next, isBehind: base !== undefined })
    next =
      base === undefined || !there.has(base.segment)
        ? undefined
        : { ref: { sessionId: ref.sessionId, segmentId: base.segment }, upTo: base.bytes }
  }
  return parts
})

/**
 * Padded to the length of the line, so that what lies behind it stays where it was, if there is room. Undefined for a line that is too
 * short to be replaced, in a segment of which another one counts the bytes.
 */
export const replacementOf = (bad: ScannedLine, part: Part, ts: number): Replacement | undefined => {
  const text = (savedTo: string): string => {
    const candidates = placeholders(bad, part, ts, savedTo)
    const fitting = candidates.find((candidate) => Buffer.byteLength(candidate) <= bad.bytes)
    // Where nobody counts the bytes, all of it is said.
    const chosen = (part.upTo === undefined ? candidates[0] : (fitting ?? candidates.at(-1))) as string
    return chosen + " ".repeat(Math.max(0, bad.bytes - Buffer.byteLength(chosen)))
  }
  // The shortest one names no file.
  const tooShort = Buffer.byteLength(text("")) > bad.bytes
  return tooShort && part.upTo !== undefined ? undefined : { line: bad.line, byte: bad.byte, bytes: bad.bytes, text }
}

/** In fewer and fewer words. */
const placeholders = (bad: ScannedLine, part: Part, ts: number, savedTo: string): ReadonlyArray<string> => {
  const lost = { line: bad.line + 1, bytes: bad.bytes, seems: bad.seems, savedTo }
  const batch = bad.more === 0 ? {} : { more: bad.more }
  // Readers look for the start of such a segment in its first line, and fill its history in.
  if (bad.line === 0 && part.isBehind) {
    return [lostLine(lost), lostLineShort(lost)].map((system_prompt) =>
      JSON.stringify({
        kind: "segment_start",
        session_id: part.ref.sessionId,
        system_prompt,
        config: defaultConfig,
        history: [],
        ts,
        ...batch
      } satisfies LogEntry)
    )
  }
  const told = `line ${lost.line} of the log could not be read`
  const bodies: ReadonlyArray<readonly [string, string]> = [
    [`${told} (${bad.bytes} bytes); it is kept in ${savedTo}`, lostLine(lost)],
    [told, lostLineShort(lost)],
    [told, `[Line ${lost.line} lost]`]
  ]
  return bodies.map(([message, body]) =>
    JSON.stringify({
      kind: "system_item",
      item: { kind: "notification", message, body },
      ts,
      ...batch
    } satisfies LogEntry)
  )
}
