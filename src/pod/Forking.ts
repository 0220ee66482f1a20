/**
 * Forks: a new pod that goes on from here, or from an earlier place, with the same past.
 *
 * The past is not copied. The new session gets another name for the segments that hold it, and a segment of its own
 * that goes on behind them, so a fork costs the same for every length and stays readable when its source is deleted.
 * The name comes last: until it is there nobody knows of the fork, and from then on it is whole. Its lease is held
 * meanwhile, so that no pod of that name starts beside it.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Method } from "../protocol/Method.ts"
import * as Ids from "../runtime/Ids.ts"
import type { Lease } from "../runtime/Lease.ts"
import { podNameProblem } from "../runtime/PodName.ts"
import { concat, encode } from "../session/Batch.ts"
import type { SessionState } from "../session/Fold.ts"
import type { Past } from "../session/Content.ts"
import type { Journal } from "../session/Journal.ts"
import * as Lineage from "../session/Lineage.ts"
import type { PodStore } from "../session/PodStore.ts"
import type { SegmentRef, SessionStore } from "../session/SessionStore.ts"
import { maxDepth } from "../session/Replay.ts"
import { share } from "../session/Rescue.ts"
import { StorageError } from "../session/StorageError.ts"
import { type Forked, PodRefused } from "./PodHandle.ts"

export type ForkParams = Extract<Method, { readonly method: "fork" }>["params"]

export interface ForkingOptions {
  /** The pod that is forked. */
  readonly name: string
  readonly journal: Journal
  readonly sessions: SessionStore["Service"]
  readonly pods: PodStore["Service"]
  readonly leases: Lease["Service"]
  /** Owns the forks that are being made. */
  readonly owner: Scope.Scope
}

/**
 * Uninterruptible: what it returns is what has become of the fork, also when it is interrupted meanwhile. It fails with
 * an interrupt if the pod ends before the fork is made.
 */
export type Fork = (params: ForkParams) => Effect.Effect<Forked, PodRefused | StorageError>

/** Where the journal is left. */
interface Left {
  readonly past: Past
  readonly turns: number
}

/** All that a fork takes from the journal. */
interface Wanted extends Left {
  readonly podName: string
  /** Prompt, scope and config, as they were when the place was the end of the journal. */
  readonly state: SessionState
}

/** Forks of one pod that may be asked for and not be made yet. They are made one after the other. */
const bound = 16
/** Of the whole fork, with what it waits for those before it. */
const limit = "30 seconds"

/** Reads the journal in its first step, before anything else can be committed: that is where the fork leaves it. */
export const make = (options: ForkingOptions): Fork => {
  const { journal, owner } = options
  const inOrder = Semaphore.makeUnsafe(1)
  let asked = 0

  const start = Effect.fnUntraced(function* (wanted: Wanted) {
    const done = Deferred.makeUnsafe<Forked, PodRefused | StorageError>()
    const work = yield* inOrder.withPermit(fork(options, wanted, done)).pipe(
      Effect.catchDefect((defect) => broke(wanted.podName, defect)),
      Effect.onExit((exit) =>
        Effect.sync(() => {
          asked -= 1
          if (Exit.isFailure(exit)) Deferred.doneUnsafe(done, Exit.failCause(exit.cause))
        })
      ),
      Effect.forkIn(owner, { startImmediately: true })
    )
    const waited = yield* Effect.exit(Effect.timeoutOption(Effect.interruptible(Deferred.await(done)), limit))
    if (Exit.isSuccess(waited) && Option.isNone(waited.value)) Deferred.doneUnsafe(done, tooLate(wanted.podName))
    // Nobody waits for it any more; what it has not answered it undoes.
    work.interruptUnsafe()
    return yield* Deferred.await(done)
  }, Effect.uninterruptible)

  return (params) =>
    Effect.suspend(() => {
      const problem = podNameProblem(params.pod_name)
      if (problem !== undefined) return new PodRefused({ code: "invalid_request", message: problem })
      const left = leftAt(journal, params.at)
      if (left instanceof PodRefused) return left
      if (left.past.files.length > maxDepth) {
        return new PodRefused({
          code: "invalid_request",
          message: `this session goes on behind ${maxDepth} segments, one behind another; no start reads more`,
          hint: "fork it from an earlier place; effect-pod export and import make one segment of all of them"
        })
      }
      if (asked >= bound) {
        return new PodRefused({
          code: "overloaded",
          message: `${bound} forks of this pod are being made already`,
          hint: "wait until some of them are done"
        })
      }
      asked += 1
      return start({ ...left, podName: params.pod_name, state: { ...journal.state } })
    })
}

const leftAt = (journal: Journal, at: ForkParams["at"]): Left | PodRefused => {
  const [own] = journal.files()
  // The first input may have made a file and then not have come into it.
  if (own === undefined || journal.bytes() === 0) {
    return new PodRefused({
      code: "invalid_request",
      message: "nothing was said to this pod yet, so there is nothing to go on from",
      hint: "start a new pod instead"
    })
  }
  if (at === undefined) {
    const here = { segment: own.ref.segmentId, entries: journal.source().view.total, bytes: journal.bytes() }
    return { past: journal.past(here), turns: journal.state.turnCount }
  }
  const point = journal.points.find(at.segment_id, at.user_input_entry_index)
  if (point === undefined || point.insideRun) {
    return new PodRefused({
      code: "not_found",
      message: `entry ${at.user_input_entry_index} of segment ${at.segment_id} is no place to go on from`,
      hint: "list_rewind_targets shows the places that there are"
    })
  }
  const { entry, from } = point.cut
  return { past: journal.past({ segment: at.segment_id, entries: entry, bytes: from }), turns: point.before.turnCount }
}

/** Whoever completes `done` first has decided: with the fork, or with why there is none. */
const fork = Effect.fn("Forking.fork")(function* (
  { journal, leases, name, pods, sessions }: ForkingOptions,
  { past, podName, state, turns }: Wanted,
  done: Deferred.Deferred<Forked, PodRefused | StorageError>
): Effect.fn.Return<void, PodRefused | StorageError> {
  const taken = new PodRefused({
    code: "conflict",
    message: `there is a pod "${podName}" already`,
    hint: "choose another name, or remove that pod with effect-pod delete"
  })
  const sessionId = yield* Ids.uuid
  const ref: SegmentRef = { sessionId, segmentId: yield* Ids.uuid }
  const opening = encode(Lineage.fork(state, { sessionId, base: past.place, turns }), yield* Clock.currentTimeMillis)
  if (Option.isSome(yield* pods.get(podName))) return yield* taken
  const own = Option.getOrUndefined(yield* pods.get(name))
  let mayBeNamed = false

  // A pod of this name that starts now, for the first time, has it before anybody can read that it has.
  const reserve = leases
    .acquire({ podName, sessionId: null, socket: null })
    .pipe(Effect.mapError((error) => (error.reason === "Unavailable" ? notMade(podName, error.message) : taken)))

  const write = Effect.gen(function* () {
    yield* Effect.forEach(past.files, (file) => share(sessions, file, sessionId, journal.syncs), { discard: true })
    const segment = yield* sessions.create(ref)
    yield* segment.append(concat(opening.pieces), { at: 0, sync: journal.syncs })
  })

  const giveName = Effect.suspend(() => {
    mayBeNamed = true
    return pods.create(podName, {
      active: { session_id: sessionId, segment_id: ref.segmentId },
      ...(own?.cwd === undefined ? {} : { cwd: own.cwd }),
      ...(own?.resolved_manifest_snapshot === undefined
        ? {}
        : { resolved_manifest_snapshot: own.resolved_manifest_snapshot })
    })
  }).pipe(
    Effect.catchIf(
      (error) => error.reason === "Exists",
      () => {
        mayBeNamed = false
        return taken
      }
    )
  )

  const answer = Effect.suspend(() => {
    const forked: Forked = { pod_name: podName, session_id: sessionId, segment_id: ref.segmentId }
    return Deferred.doneUnsafe(done, Effect.succeed(forked)) ? Effect.void : tooLate(podName)
  })

  // Which it may have got although the store said that it has not.
  const takeNameBack = Effect.gen(function* () {
    const metadata = mayBeNamed ? Option.getOrUndefined(yield* pods.get(podName)) : undefined
    if (metadata?.active?.session_id === sessionId) yield* pods.remove(podName)
  })

  // The name first: if it cannot be taken back, it leads at least to a pod that is whole.
  const undo = takeNameBack.pipe(
    Effect.andThen(
      Effect.forEach(
        [ref, ...past.files.map(({ file }) => ({ sessionId, segmentId: file.ref.segmentId }))],
        (made) => Effect.ignore(sessions.remove(made)),
        { discard: true }
      )
    ),
    Effect.ignore
  )

  // From the name on it is one step, which is done or undone whatever interrupts it.
  const made = Effect.uninterruptibleMask((restore) =>
    restore(Effect.scoped(write)).pipe(
      Effect.andThen(giveName),
      Effect.andThen(answer),
      Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : undo))
    )
  )
  yield* Effect.scoped(Effect.andThen(reserve, made))
})

const tooLate = (podName: string) => failed(podName, `the store did not answer within ${limit}`)

/** A defect of the store must not leave anybody without an answer. */
const broke = (podName: string, defect: unknown) =>
  failed(podName, `the store broke: ${defect instanceof Error ? defect.message : "unknown defect"}`)

const failed = (podName: string, why: string) => Effect.fail(notMade(podName, why))

const notMade = (podName: string, why: string) =>
  new StorageError({
    reason: "Io",
    operation: "fork",
    path: podName,
    message: `pod "${podName}" was not made: ${why}`,
    hint: "look at the disk"
  })
