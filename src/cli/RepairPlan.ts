/**
 * What is wrong with the segments that a pod's log is made of, and what is put in the place of a line that cannot be
 * read: one line that people and the model see. A cut write at the end is no bad line; it never counted.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Replacement } from "../../layers/store/SegmentMending.ts"
import { lostLine } from "../knowledge/Wrappers.ts"
import type { LogEntry } from "../protocol/LogEntry.ts"
import { formatVersion, PodRecord } from "../protocol/PodRecord.ts"
import { scan, type ScannedLine } from "../session/LineScan.ts"
import type { SegmentRef } from "../session/SessionStore.ts"
import { StorageError } from "../session/StorageError.ts"
import type { Machine } from "./Machine.ts"
import { lineageOf } from "./SegmentFacts.ts"

export interface Verified {
  readonly ref: SegmentRef
  readonly path: string
  readonly lines: number
  readonly bad: ReadonlyArray<ScannedLine>
  /** Bytes up to the end of the last whole batch, and behind it. */
  readonly committed: number
  readonly torn: number
}

const decodeRecord = Schema.decodeUnknownOption(PodRecord)

/** Fails with `Newer` for a file of a format that this version does not know: what it has there is not bad. */
export const verify = Effect.fn("RepairPlan.verify")(function* (
  machine: Machine,
  ref: SegmentRef
): Effect.fn.Return<Verified, StorageError> {
  const bad: Array<ScannedLine> = []
  let format = 0
  const see = (line: ScannedLine): void => {
    if (line.problem !== undefined) bad.push(line)
    if (line.entry?.kind !== "extension" || line.entry.domain !== "pod.format") return
    const record = Option.getOrUndefined(decodeRecord({ domain: "pod.format", payload: line.entry.payload }))
    if (record?.domain === "pod.format") format = record.payload.version
  }
  const { committed, lines, path, size } = yield* Effect.scoped(
    Effect.flatMap(machine.sessions.open(ref), (file) =>
      Effect.map(
        scan(file, (batch) => batch.forEach(see)),
        (scanned) => ({ ...scanned, path: file.path })
      )
    )
  )
  if (format > formatVersion) {
    return yield* new StorageError({
      reason: "Newer",
      operation: "repair",
      path,
      message: `${path} has format ${format}; this version of effect-pod reads formats up to ${formatVersion}`,
      hint: "repair it with the newer version that wrote it"
    })
  }
  return { ref, path, lines, bad, committed, torn: size - committed }
})

/** The segment and those that it goes on from, as far as they are there. */
export const chainOf = Effect.fn("RepairPlan.chainOf")(function* (
  machine: Machine,
  ref: SegmentRef
): Effect.fn.Return<ReadonlyArray<SegmentRef>, StorageError> {
  const there = new Set(
    (yield* machine.sessions.list).flatMap((s) => (s.sessionId === ref.sessionId ? s.segmentId : []))
  )
  const chain: Array<SegmentRef> = [ref]
  let next = (yield* lineageOf(machine, ref)).base?.segment
  while (next !== undefined && there.delete(next)) {
    const base = { sessionId: ref.sessionId, segmentId: next }
    chain.push(base)
    next = (yield* lineageOf(machine, base)).base?.segment
  }
  return chain
})

/** Padded to the length of the line, so that what lies behind it stays where it was. */
export const replacementOf = (bad: ScannedLine, ts: number): Replacement => ({
  line: bad.line,
  byte: bad.byte,
  bytes: bad.bytes,
  text: (savedTo) => {
    const entry: LogEntry = {
      kind: "system_item",
      item: {
        kind: "notification",
        message: `line ${bad.line + 1} of the log could not be read (${bad.bytes} bytes); it is kept in ${savedTo}`,
        body: lostLine({ line: bad.line + 1, bytes: bad.bytes, seems: bad.seems, savedTo })
      },
      ts,
      ...(bad.more === 0 ? {} : { more: bad.more })
    }
    const text = JSON.stringify(entry)
    return text + " ".repeat(Math.max(0, bad.bytes - Buffer.byteLength(text)))
  }
})
