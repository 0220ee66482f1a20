/**
 * Finds the session of a pod by its name, or makes a new one, and opens its journal.
 *
 * A segment that exists is replayed and its torn tail cut. A new one comes into being with its first entry: until then
 * nothing is on disk but the pod's name. A leg that was cut by a crash is closed here, before anybody can attach.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Outcome, RequestConfig } from "../protocol/LogEntry.ts"
import { formatVersion } from "../protocol/PodRecord.ts"
import type { ScopeRules } from "../protocol/ScopeRule.ts"
import * as Ids from "../runtime/Ids.ts"
import { Content } from "../session/Content.ts"
import type * as Fold from "../session/Fold.ts"
import * as Journal from "../session/Journal.ts"
import { PodStore } from "../session/PodStore.ts"
import { replay, type Replayed } from "../session/Replay.ts"
import { type SegmentFile, type SegmentRef, SessionStore } from "../session/SessionStore.ts"
import { StorageError } from "../session/StorageError.ts"
import { closeApprovals, closeCalls, terminal } from "./Ending.ts"
import * as Lent from "./Lent.ts"
import { maxAttempts } from "./Opening.ts"
import type { Prompt } from "./Prompt.ts"

/** What the metadata say about a pod's session, before anything of it is read. */
export interface Found {
  readonly ref: SegmentRef
  /** There may be a segment; a pod that never got any input has none. */
  readonly written: boolean
  /** The metadata do not name this session yet. */
  readonly isNew: boolean
  /** What was recorded of its manifest. */
  readonly snapshot: Schema.Json | undefined
  /** Where the pod worked when it was last started. */
  readonly cwd: string | undefined
}

/** `named` takes the place of what the metadata say, and will be written there; `fresh` is what a new pod gets. */
export const find = Effect.fnUntraced(function* (podName: string, named?: SegmentRef, fresh?: SegmentRef) {
  const metadata = yield* (yield* PodStore).get(podName)
  const active = Option.getOrUndefined(metadata)?.active
  const cwd = Option.getOrUndefined(metadata)?.cwd
  const snapshot = Option.getOrUndefined(metadata)?.resolved_manifest_snapshot
  if (named !== undefined) return { ref: named, written: true, isNew: true, cwd, snapshot } satisfies Found
  const ref: SegmentRef = {
    sessionId: active?.session_id ?? fresh?.sessionId ?? (yield* Ids.uuid),
    segmentId: active?.segment_id ?? fresh?.segmentId ?? (yield* Ids.uuid)
  }
  return {
    ref,
    written: active?.segment_id !== undefined,
    isNew: active === undefined,
    cwd,
    snapshot
  } satisfies Found
})

/** A segment as it was left, or undefined if there is nothing in it. */
export interface Restored extends Replayed {
  readonly file: SegmentFile
  /** Another session has it, too: it is read, and nothing of it is changed. */
  readonly isLent: boolean
}

export const restore = Effect.fn("Session.restore")(function* (found: Found) {
  if (!found.written) return undefined
  const store = yield* SessionStore
  const file = yield* store.open(found.ref).pipe(
    Effect.catchIf(
      ({ reason }) => reason === "NotFound",
      () => Effect.undefined
    )
  )
  if (file === undefined) return undefined
  const read = { ...(yield* replay(file, { sessions: store })), file }
  return { ...read, isLent: yield* Lent.isLent(read) } satisfies Restored
})

export interface OpenOptions {
  readonly podName: string
  readonly found: Found
  readonly restored: Restored | undefined
  readonly cwd: string
  /** To be recorded; undefined leaves what is recorded as it is. */
  readonly snapshot: Schema.Json | undefined
  readonly scope: ScopeRules
  readonly config: RequestConfig
  /** Renders the system prompt; called once, when a new segment gets its first line. */
  readonly prompt: Effect.Effect<Prompt>
  readonly syncs: boolean
  readonly onInterrupted: OnInterrupted
}

/** What becomes of a run that a crash has cut: it ends, it waits for `resume`, or it goes on by itself. */
export type OnInterrupted = "idle" | "paused" | "resume"

export const open = Effect.fn("Session.open")(function* (options: OpenOptions) {
  return yield* openOwn(options.restored?.isLent === true ? yield* leave(options, options.restored) : options)
})

const leave = Effect.fnUntraced(function* (options: OpenOptions, lent: Restored) {
  const own = yield* Lent.goOnBehind(lent)
  const found = { ...options.found, ref: own.file.ref, isNew: true }
  return { ...options, found, restored: { ...own, tornBytes: 0, isLent: false } } satisfies OpenOptions
})

const openOwn = Effect.fnUntraced(function* (options: OpenOptions) {
  const { found, restored } = options
  const repaired = restored === undefined ? undefined : yield* cutTornTail(restored)
  const content = restored?.content ?? new Content()
  const empty = content.index.lines === 0
  // Whoever was killed here may not have come to sync what it wrote, and what is read now is told to be safe.
  if (!empty && options.syncs) yield* restored?.file.sync ?? Effect.void
  const sessions = yield* SessionStore
  const save = yield* Effect.cached(remember(options, empty, yield* PodStore))
  const journal = yield* Journal.make({
    epoch: yield* Ids.uuid,
    content,
    file: empty ? undefined : restored?.file,
    materialise: Effect.andThen(Effect.ignore(save), yield* materialise(options, restored?.file)),
    next: yield* next(options),
    sessions,
    syncs: options.syncs
  })
  // A file of the seed says from here on whose records stand in it.
  if (!empty && journal.state.format === undefined) yield* journal.commit([format], true)
  if (repaired !== undefined && !empty) yield* journal.commit([repaired], true)
  yield* closeCutLeg(journal, options.onInterrupted)
  if (!empty && !isSameScope(options.scope, journal.state.scope)) {
    const { allow, deny } = options.scope
    yield* journal.commit([{ kind: "extension", domain: "pod.scope", payload: { allow, deny } }], true)
  }
  // What was named must be found again. Of a new pod it is written again, with the segment of its first input.
  if (found.written) yield* save
  // A pod that is stopped at once has its name all the same: what was begun is finished before it closes.
  else yield* Effect.forkScoped(Effect.ignore(save), { uninterruptible: true, startImmediately: true })
  return journal
})

/** A start that changes nothing writes nothing. */
const remember = ({ cwd, found, podName, snapshot }: OpenOptions, empty: boolean, pods: PodStore["Service"]) => {
  const { segmentId, sessionId } = found.ref
  const isKnown = snapshot === undefined || JSON.stringify(snapshot) === JSON.stringify(found.snapshot)
  if (found.cwd === cwd && found.written !== empty && !found.isNew && isKnown) return Effect.void
  return pods.update(podName, {
    cwd,
    ...(snapshot === undefined ? {} : { resolved_manifest_snapshot: snapshot }),
    active: empty ? { session_id: sessionId } : { session_id: sessionId, segment_id: segmentId }
  })
}

const isSameScope = (a: ScopeRules, b: ScopeRules | undefined): boolean =>
  JSON.stringify([a.allow, a.deny]) === JSON.stringify([b?.allow, b?.deny])

const format: Journal.Step = { kind: "extension", domain: "pod.format", payload: { version: formatVersion } }

const cutTornTail = Effect.fnUntraced(function* ({ content: { index }, file, tornBytes }: Restored) {
  if (tornBytes === 0) return undefined
  const { savedTo } = yield* file.cutTail(index.bytes)
  return {
    kind: "extension",
    domain: "pod.repair",
    payload: {
      op: "cut_tail",
      segment_id: file.ref.segmentId,
      line: index.lines,
      byte: index.bytes,
      bytes_dropped: tornBytes,
      saved_to: savedTo
    }
  } satisfies Journal.Step
})

/** The pointer is written before the segment: a crash in between leaves a name for nothing, never input without a name. */
const materialise = Effect.fnUntraced(function* (options: OpenOptions, empty: SegmentFile | undefined) {
  const { config, found, podName, prompt, scope } = options
  const store = yield* SessionStore
  const pods = yield* PodStore
  // A Scope of its own, made now: the file is opened late and must still outlive everything that writes to it.
  const owner = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
  // @effect-diagnostics-next-line returnEffectInGen:off -- made now, run with the first input
  return Effect.gen(function* () {
    const { alerts, text } = yield* prompt
    yield* pods.update(podName, { active: { session_id: found.ref.sessionId, segment_id: found.ref.segmentId } })
    const file =
      empty ??
      (yield* store.create(found.ref).pipe(
        Effect.catchIf(
          ({ reason }) => reason === "Exists",
          () => store.open(found.ref)
        ),
        Scope.provide(owner)
      ))
    const opening: ReadonlyArray<Journal.Step> = [
      { kind: "segment_start", session_id: found.ref.sessionId, system_prompt: text, config, history: [] },
      { kind: "extension", domain: "pod.scope", payload: { allow: scope.allow, deny: scope.deny } },
      format,
      ...alerts
    ]
    return { file, opening }
  })
})

/** An empty segment in the same session, for a pod that cannot go on in the one that it has. */
const next = Effect.fnUntraced(function* ({ found, podName }: OpenOptions) {
  const store = yield* SessionStore
  const pods = yield* PodStore
  const owner = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
  // @effect-diagnostics-next-line returnEffectInGen:off -- made now, run when the journal asks for it
  return Effect.gen(function* () {
    const active = { session_id: found.ref.sessionId, segment_id: yield* Ids.uuid }
    const ref: SegmentRef = { sessionId: active.session_id, segmentId: active.segment_id }
    const scope = yield* Scope.fork(owner)
    const file = yield* Scope.provide(store.create(ref), scope)
    const abandon = Effect.andThen(Scope.close(scope, Exit.void), Effect.ignore(store.remove(ref)))
    return { file, adopt: adopt(pods, podName, active), abandon }
  })
})

/**
 * A replace may fail when the new text is in its place already, with only its name not synced. Whoever is told that it
 * failed goes on in the old segment; so what stands there decides.
 */
const adopt = (
  pods: PodStore["Service"],
  podName: string,
  active: { readonly session_id: string; readonly segment_id: string }
): Effect.Effect<void, StorageError> =>
  Effect.catch(pods.update(podName, { active }), (error) =>
    Effect.matchEffect(pods.get(podName), {
      onSuccess: (metadata) =>
        Option.getOrUndefined(metadata)?.active?.segment_id === active.segment_id
          ? Effect.logWarning("the pod's metadata are replaced, but may not survive a power cut", {
              error: error.message
            })
          : Effect.fail(error),
      onFailure: () =>
        Effect.fail(
          new StorageError({
            reason: "Unsettled",
            operation: error.operation,
            path: error.path,
            message: `${error.message}; whether the pod's metadata were replaced cannot be read`,
            hint: "look at the disk, then restart the pod: it goes on from what is really there"
          })
        )
    })
  )

/**
 * A leg without an end is a crash. If its run ends with it, its open calls are answered and never run again. A run that
 * is to go on is paused with them open: the next leg runs what had not started, and says of the rest that its outcome is
 * not known.
 */
const closeCutLeg = Effect.fnUntraced(function* (journal: Journal.Journal, policy: OnInterrupted) {
  const { run } = journal.state
  if (run === undefined || run.state !== "open") return
  const state = journal.state as Fold.SessionState
  if (policy !== "idle" && run.runId !== "") {
    const outcome: Outcome = { result: "paused", by_crash: true, usage: run.usage }
    const paused: Journal.Step = { emit: { event: "status", data: { status: "paused" } } }
    // A run that goes on by itself asks again for what it had asked for.
    const asksAgain = policy === "resume" && run.attempts < maxAttempts
    const closed = asksAgain ? [] : closeApprovals(state, "restart")
    yield* journal.commit([...closed, ...terminal(run.runId, run.leg, state.turnCount, outcome), paused], true)
    return
  }
  // A run of the seed has no name; its end needs one.
  const runId = run.runId === "" ? yield* Ids.uuid : run.runId
  yield* journal.commit(
    [
      ...closeApprovals(state, "restart"),
      ...closeCalls(state, "crashed", runId, run.leg),
      ...terminal(runId, run.leg, state.turnCount, { result: "interrupted", usage: run.usage })
    ],
    true
  )
})
