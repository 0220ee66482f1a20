/**
 * Forks: a new pod that goes on from here, or from an earlier place, with the same past.
 *
 * The past is not copied. The new session gets another name for the segments that hold it, and a segment of its own
 * that goes on behind them, so a fork costs the same for every length and stays readable when its source is deleted.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Semaphore from "effect/Semaphore"
import type { Method } from "../protocol/Method.ts"
import * as Ids from "../runtime/Ids.ts"
import { podNameProblem } from "../runtime/PodName.ts"
import { concat, encode } from "../session/Batch.ts"
import type { Journal } from "../session/Journal.ts"
import * as Lineage from "../session/Lineage.ts"
import type { PodStore } from "../session/PodStore.ts"
import type { SegmentFile, SegmentRef, SessionStore } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import { type Forked, PodRefused } from "./PodHandle.ts"

export type ForkParams = Extract<Method, { readonly method: "fork" }>["params"]

export interface ForkingOptions {
  /** The pod that is forked. */
  readonly name: string
  readonly journal: Journal
  readonly sessions: SessionStore["Service"]
  readonly pods: PodStore["Service"]
}

export type Fork = (params: ForkParams) => Effect.Effect<Forked, PodRefused | StorageError>

/** Where the journal is left: behind the first `bytes` of `files[0]`, which goes on behind the others. */
interface Place {
  readonly files: readonly [SegmentFile, ...ReadonlyArray<SegmentFile>]
  readonly entries: number
  readonly bytes: number
  readonly turns: number
}

/** Reads the journal in its first step, before anything else can be committed: that is where the fork leaves it. */
export const make = (options: ForkingOptions): Fork => {
  const { journal } = options
  const inOrder = Semaphore.makeUnsafe(1)
  return (params) =>
    Effect.suspend(() => {
      const problem = podNameProblem(params.pod_name)
      if (problem !== undefined) return new PodRefused({ code: "invalid_request", message: problem })
      const place = placeOf(journal, params.at)
      return place instanceof PodRefused ? place : inOrder.withPermit(fork(options, place, params.pod_name))
    })
}

const placeOf = (journal: Journal, at: ForkParams["at"]): Place | PodRefused => {
  const [own, ...bases] = journal.files()
  if (own === undefined) {
    return new PodRefused({
      code: "invalid_request",
      message: "nothing was said to this pod yet, so there is nothing to go on from",
      hint: "start a new pod instead"
    })
  }
  if (at === undefined) {
    const { total } = journal.source().view
    return { files: [own, ...bases], entries: total, bytes: journal.bytes(), turns: journal.state.turnCount }
  }
  const point = journal.points.find(at.segment_id, at.user_input_entry_index)
  const files = [own, ...bases]
  const [first, ...under] = files.slice(files.findIndex(({ ref }) => ref.segmentId === at.segment_id))
  if (point === undefined || first === undefined || point.insideRun) {
    return new PodRefused({
      code: "not_found",
      message: `entry ${at.user_input_entry_index} of segment ${at.segment_id} is no place to go on from`,
      hint: "list_rewind_targets shows the places that there are"
    })
  }
  return { files: [first, ...under], entries: point.cut.entry, bytes: point.cut.from, turns: point.turns }
}

const fork = Effect.fn("Forking.fork")(function* (
  { journal, name, pods, sessions }: ForkingOptions,
  { bytes, entries, files, turns }: Place,
  podName: string
): Effect.fn.Return<Forked, PodRefused | StorageError> {
  const taken = new PodRefused({
    code: "conflict",
    message: `there is a pod "${podName}" already`,
    hint: "choose another name, or remove that pod with effect-pod delete"
  })
  const sessionId = yield* Ids.uuid
  const ref: SegmentRef = { sessionId, segmentId: yield* Ids.uuid }
  const base = { segment: files[0].ref.segmentId, entries, bytes }
  const opening = encode(Lineage.fork(journal.state, { sessionId, base, turns }), yield* Clock.currentTimeMillis)
  if (Option.isSome(yield* pods.get(podName))) return yield* taken
  const own = Option.getOrUndefined(yield* pods.get(name))
  const create = Effect.gen(function* () {
    if (journal.syncs) yield* files[0].sync
    yield* Effect.forEach(files, (file) => sessions.link(file.ref, sessionId), { discard: true })
    const segment = yield* sessions.create(ref)
    yield* segment.append(concat(opening.pieces), { at: 0, sync: journal.syncs })
    yield* pods.create(podName, {
      active: { session_id: sessionId, segment_id: ref.segmentId },
      ...(own?.cwd === undefined ? {} : { cwd: own.cwd }),
      ...(own?.resolved_manifest_snapshot === undefined
        ? {}
        : { resolved_manifest_snapshot: own.resolved_manifest_snapshot })
    })
  })
  const undo = Effect.forEach(
    [ref, ...files.map((file) => ({ sessionId, segmentId: file.ref.segmentId }))],
    (made) => Effect.ignore(sessions.remove(made)),
    { discard: true }
  )
  yield* Effect.scoped(create).pipe(
    Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : undo)),
    Effect.catchIf(
      (error) => error.reason === "Exists",
      () => taken
    )
  )
  return { pod_name: podName, session_id: sessionId, segment_id: ref.segmentId }
})
