/**
 * What goes when a pod is removed, and what stays: for `delete` and `prune`.
 *
 * Its metadata go, and the segments of its session, but none that another pod needs: one that its metadata name, and
 * what that one goes on from. Metadata that cannot be read may name anything that stands in their text.
 */
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type { SegmentRef } from "../session/SessionStore.ts"
import { type CliError } from "./CliError.ts"
import { storageError } from "./Failures.ts"
import type { Machine, StoredPod } from "./Machine.ts"
import { lineageOf, sideFilesOf } from "./SegmentFacts.ts"

export interface SegmentPlan extends SegmentRef {
  readonly path: string
  /** Of the segment and of what was put aside beside it. */
  readonly bytes: number
  /** Unix milliseconds. */
  readonly modified: number
}

export interface RemovalPlan {
  readonly name: string
  readonly metadata: string
  readonly session_id?: string
  readonly remove: ReadonlyArray<SegmentPlan>
  readonly keep: ReadonlyArray<SegmentPlan>
  /** Bytes that go. A segment that a fork has too takes its room until that goes as well. */
  readonly bytes: number
}

/** As `--json` tells of it. */
export const toldSegment = ({ sessionId, segmentId, path, bytes, modified }: SegmentPlan) => ({
  session_id: sessionId,
  segment_id: segmentId,
  path,
  bytes,
  modified
})

/** As `--json` tells of it. */
export const toldPlan = (plan: RemovalPlan) => ({
  ...plan,
  remove: plan.remove.map(toldSegment),
  keep: plan.keep.map(toldSegment)
})

/** All that is stored, looked at once. */
export interface Stored {
  readonly pods: ReadonlyArray<StoredPod>
  readonly segments: ReadonlyArray<SegmentPlan>
  /** The text of metadata that cannot be understood; null where not even that can be read. */
  readonly unclear: ReadonlyMap<string, string | null>
}

export const look = Effect.fn("Removal.look")(function* (machine: Machine): Effect.fn.Return<Stored, CliError> {
  const pods = yield* machine.storedPods
  const listed = yield* Effect.mapError(machine.sessions.list, storageError)
  const segments = yield* Effect.forEach(
    listed,
    (ref) =>
      Effect.gen(function* () {
        const path = machine.segmentPath(ref.sessionId, ref.segmentId)
        const aside = yield* sideFilesOf(machine, ref)
        return {
          sessionId: ref.sessionId,
          segmentId: ref.segmentId,
          path,
          bytes: aside.reduce((sum, { bytes }) => sum + bytes, ref.bytes),
          modified: yield* modifiedAt(path)
        }
      }),
    { concurrency: 16 }
  )
  const unclear = new Map<string, string | null>()
  for (const pod of pods) {
    if (!("error" in pod)) continue
    const path = metadataPath(machine, pod.name)
    unclear.set(pod.name, yield* Effect.promise(() => readFile(path, "latin1").catch(() => null)))
  }
  return { pods, segments, unclear }
})

export const metadataPath = ({ directories }: Machine, name: string): string =>
  join(directories.pods, name, "metadata.json")

/** 0 if there is no such file. */
export const modifiedAt = (path: string): Effect.Effect<number> =>
  Effect.promise(() =>
    stat(path).then(
      ({ mtimeMs }) => Math.floor(mtimeMs),
      () => 0
    )
  )

export const plan = Effect.fn("Removal.plan")(function* (
  machine: Machine,
  stored: Stored,
  name: string
): Effect.fn.Return<RemovalPlan> {
  const pod = stored.pods.find((candidate) => candidate.name === name)
  const sessionId = pod === undefined || "error" in pod ? undefined : pod.metadata.active?.session_id
  const own = stored.segments.filter((segment) => segment.sessionId === sessionId)
  const needed = sessionId === undefined ? new Set<string>() : yield* neededByOthers(machine, stored, name, sessionId)
  const remove = own.filter(({ segmentId }) => needed !== "all" && !needed.has(segmentId))
  return {
    name,
    metadata: metadataPath(machine, name),
    ...(sessionId === undefined ? {} : { session_id: sessionId }),
    remove,
    keep: own.filter((segment) => !remove.includes(segment)),
    bytes: remove.reduce((sum, { bytes }) => sum + bytes, 0)
  }
})

const neededByOthers = Effect.fnUntraced(function* (
  machine: Machine,
  stored: Stored,
  name: string,
  sessionId: string
): Effect.fn.Return<ReadonlySet<string> | "all"> {
  for (const [other, text] of stored.unclear) {
    if (other !== name && (text === null || text.includes(sessionId))) return "all"
  }
  const needed = new Set<string>()
  for (const pod of stored.pods) {
    if (pod.name === name || "error" in pod || pod.metadata.active?.session_id !== sessionId) continue
    const wanted = [pod.metadata.active.segment_id]
    for (let segmentId = wanted.pop(); segmentId !== undefined; segmentId = wanted.pop()) {
      if (needed.has(segmentId)) continue
      needed.add(segmentId)
      const lineage = yield* Effect.option(lineageOf(machine, { sessionId, segmentId }))
      // What cannot be read may go on from any of them.
      if (lineage._tag === "None") return "all"
      const { base } = lineage.value
      // A rewind that can be undone goes back to the segment that it has left.
      wanted.push(...[base?.segment, base?.rewound?.segment].filter((id) => id !== undefined))
    }
  }
  return needed
})

/** The pod's lease is held. The metadata go first: a removal that is cut off leaves a session without a pod. */
export const carryOut = Effect.fn("Removal.carryOut")(function* (machine: Machine, { name, remove }: RemovalPlan) {
  yield* machine.pods.remove(name)
  for (const segment of remove) yield* machine.sessions.remove(segment)
}, Effect.mapError(storageError))

/** Segments of sessions that no pod's metadata name. */
export const orphans = ({ pods, segments, unclear }: Stored): ReadonlyArray<SegmentPlan> => {
  const named = new Set(pods.flatMap((pod) => ("error" in pod ? [] : (pod.metadata.active?.session_id ?? []))))
  return segments.filter(
    ({ sessionId }) =>
      !named.has(sessionId) && !Array.from(unclear.values()).some((text) => text === null || text.includes(sessionId))
  )
}
