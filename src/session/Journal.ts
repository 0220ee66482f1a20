/**
 * The one ordered truth of a pod. One fiber writes entries, numbers events and publishes them, in one order.
 *
 * `commit` returns after the store has accepted the entries and after they were folded and published; if it fails,
 * nothing happened. `emit` publishes what is not kept. Both wait when the journal is behind: that is the back-pressure
 * on a model that talks faster than anything can be written.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Cause from "effect/Cause"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { BroadcastEvent, Envelope } from "../protocol/Event.ts"
import type { WaitingOn } from "../protocol/Inbox.ts"
import type { LogEntry, Outcome } from "../protocol/LogEntry.ts"
import { isControl } from "../protocol/PodRecord.ts"
import { encodeLine } from "../protocol/Wire.ts"
import { announce, type Draft, type Emission, type Silent } from "./Announce.ts"
import type { Attachment } from "./Attachment.ts"
import { attach } from "./Attach.ts"
import * as Fold from "./Fold.ts"
import * as Live from "./Live.ts"
import type { LogIndex } from "./LogIndex.ts"
import * as PatientFile from "./PatientFile.ts"
import { Retained } from "./Retained.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** One element of a batch: an entry, or an event that belongs in this place among them. */
export type Step = Draft | Emission | Silent

export interface Committed {
  /** Number of the event that announced each step; 0 for a step that has none. */
  readonly seqs: ReadonlyArray<number>
  /** The entries survive a power cut. */
  readonly synced: boolean
  /** First line of the batch in the file; the lines that open a segment are not part of it. */
  readonly line: number
}

export interface CommitOptions {
  /** Called in the same step that numbers the events, before any of them can be seen. Must not block or throw. */
  readonly onPublish?: (committed: Committed) => void
}

export interface Journal {
  readonly epoch: string
  /** What is committed with `sync` survives a power cut. */
  readonly syncs: boolean
  readonly state: Readonly<Fold.SessionState>
  readonly live: Readonly<Live.Live>
  /** Lines in the file so far, or 0 if there is none yet. */
  readonly lines: () => number
  readonly segmentId: () => string | null
  /**
   * Appends the entries as one batch, durable as the session's policy says if `sync`. Waits at most 30 seconds.
   * An empty batch is a barrier: it returns when everything before it is written and folded.
   */
  readonly commit: (
    steps: ReadonlyArray<Step>,
    sync: boolean,
    options?: CommitOptions
  ) => Effect.Effect<Committed, StorageError>
  readonly emit: (...events: ReadonlyArray<BroadcastEvent>) => Effect.Effect<void>
  readonly setWaitingOn: (waitingOn: WaitingOn | null) => void
  /** Hides the log's lines from `from` on and takes the state back to the checkpoint; the mark ends the leg. */
  readonly rollback: (rollback: Rollback, steps: ReadonlyArray<Step>) => Effect.Effect<Committed, StorageError>
  readonly attach: Effect.Effect<Attachment, never, Scope.Scope>
  readonly view: () => ReturnType<LogIndex["view"]>
  readonly file: () => SegmentFile | undefined
}

/** A leg that is undone: from the first line of its acceptance to where its mark will stand. */
export interface Rollback {
  readonly from: number
  readonly checkpoint: Fold.Checkpoint
  readonly runId: string
  readonly leg: number
  readonly outcome: Outcome
}

interface Commit {
  readonly _tag: "Commit"
  readonly steps: ReadonlyArray<Step>
  readonly sync: boolean
  readonly onPublish: ((committed: Committed) => void) | undefined
  readonly rollback: Rollback | undefined
  readonly done: Deferred.Deferred<Committed, StorageError>
}

interface Emit {
  readonly _tag: "Emit"
  readonly events: ReadonlyArray<BroadcastEvent>
}

type Op = Commit | Emit

export interface JournalOptions {
  readonly epoch: string
  readonly state: Fold.SessionState
  readonly index: LogIndex
  /** The open segment, or undefined if there is none yet. */
  readonly file: SegmentFile | undefined
  /** Makes the segment when the first entries come, and says what its first lines are. */
  readonly materialise: Effect.Effect<
    { readonly file: SegmentFile; readonly opening: ReadonlyArray<Step> },
    StorageError
  >
  /** False if the session is kept without syncing (`[session] durability = "os"`, memory). */
  readonly syncs: boolean
}

/** An event of a batch: which step it belongs to, and how long the entry behind it is (0: there is none). */
interface Announcement {
  readonly at: number
  readonly event: BroadcastEvent
  readonly bytes: number
}

/** Operations that may wait for the writer. */
const opsBound = 4_096
/** Events that a subscriber may be behind before it loses the oldest. */
const hubBound = 4_096

/** A commit as it was written. The first `opened` entries opened the segment and are nobody's steps. */
interface Written {
  readonly commit: Commit
  readonly opened: number
  readonly entries: ReadonlyArray<{ readonly step: Step; readonly entry: LogEntry | undefined; readonly bytes: number }>
}

export const make = Effect.fn("Journal.make")(function* (options: JournalOptions) {
  const { epoch, index, state } = options
  const live = Live.make()
  live.turn = state.turnCount
  live.status = state.run?.state === "paused" ? "paused" : "idle"
  const ops = yield* Queue.bounded<Op, Cause.Done>(opsBound)
  const hub = yield* PubSub.sliding<Envelope>(hubBound)
  const retained = new Retained()
  const encoder = new TextEncoder()
  // A Scope of its own: the journal still writes while the pod's is being closed.
  const owner = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
  let file = options.file === undefined ? undefined : PatientFile.make(options.file, owner)
  /** First lines of a new segment that are not written yet. */
  let opening: ReadonlyArray<Step> = []
  let seq = 0

  /** `bytes` is the length of the entry behind a durable event, 0 for any other event. */
  const number = (event: BroadcastEvent, bytes: number, out: Array<Envelope>): number => {
    seq += 1
    Live.apply(live, event)
    const envelope: Envelope = bytes > 0 ? { ...event, seq, durable: true } : { ...event, seq }
    if (bytes > 0) retained.add(envelope, bytes)
    out.push(envelope)
    return seq
  }

  /** Everything that becomes true with a commit becomes true here, without a pause in between. */
  const publishCommit = ({ commit, entries, opened }: Written, synced: boolean, out: Array<Envelope>): Committed => {
    const seqs = entries.map(() => 0)
    const events: Array<Announcement> = []
    if (commit.rollback !== undefined) {
      index.hide({ from: commit.rollback.from, to: index.lines })
      Fold.restore(state, commit.rollback.checkpoint)
    }
    // Only entries are lines: what a segment opens with may have events among it.
    const line = index.lines + entries.slice(0, opened).filter(({ entry }) => entry !== undefined).length
    entries.forEach(({ bytes, entry, step }, at) => {
      if (entry === undefined) {
        events.push({ at, event: (step as Emission).emit, bytes: 0 })
        return
      }
      const event = "silent" in step ? undefined : announce(entry, state)
      if (event !== undefined) events.push({ at, event, bytes })
      index.add(bytes, isControl(entry))
      Fold.apply(state, entry)
    })
    for (const { at, bytes, event } of inOrder(events)) seqs[at] = number(event, bytes, out)
    const committed = { seqs: opened === 0 ? seqs : seqs.slice(opened), synced, line }
    commit.onPublish?.(committed)
    return committed
  }

  /** One write and at most one sync for all commits that wait; none of them happens if it fails. */
  const write = Effect.fnUntraced(function* (commits: ReadonlyArray<Commit>) {
    const now = yield* Clock.currentTimeMillis
    // A barrier alone brings no segment into being.
    const isEmpty = commits.every(({ rollback, steps }) => steps.length === 0 && rollback === undefined)
    if (isEmpty) return { written: commits.map((commit): Written => ({ commit, opened: 0, entries: [] })), sync: false }
    if (file === undefined) {
      const made = yield* options.materialise
      file = PatientFile.make(made.file, owner)
      opening = made.opening
    }
    const pieces: Array<Uint8Array> = []
    const written = commits.map((commit, i): Written => {
      const opened = i === 0 ? opening : []
      const mark = commit.rollback === undefined ? [] : [rollbackMark(commit.rollback, index.lines + pieces.length)]
      const steps = [...opened, ...mark, ...commit.steps]
      let more = steps.filter((step) => !("emit" in step)).length
      const entries = steps.map((step) => {
        if ("emit" in step) return { step, entry: undefined, bytes: 0 }
        more -= 1
        const draft = "silent" in step ? step.silent : step
        const entry = { ...draft, ts: now, ...(more > 0 ? { more } : {}) } as LogEntry
        const bytes = encoder.encode(encodeLine(entry))
        pieces.push(bytes)
        return { step, entry, bytes: bytes.length }
      })
      return { commit, opened: opened.length, entries }
    })
    const sync = options.syncs && commits.some((commit) => commit.sync)
    if (pieces.length > 0) yield* file.append(concat(pieces), { at: index.bytes, sync })
    opening = []
    return { written, sync }
  })

  const step = Effect.fnUntraced(function* (batch: ReadonlyArray<Op>) {
    const commits = batch.filter((op) => op._tag === "Commit")
    const exit =
      commits.length === 0
        ? Exit.succeed({ written: [], sync: false })
        : yield* Effect.exit(Effect.catchDefect(write(commits), broke))
    const out: Array<Envelope> = []
    const done: Array<readonly [Commit, Exit.Exit<Committed, StorageError>]> = []
    let next = 0
    for (const op of batch) {
      if (op._tag === "Emit") for (const event of op.events) number(event, 0, out)
      else if (Exit.isFailure(exit)) done.push([op, Exit.failCause(exit.cause)])
      else done.push([op, Exit.succeed(publishCommit(exit.value.written[next++] as Written, exit.value.sync, out))])
    }
    if (out.length > 0) yield* PubSub.publishAll(hub, out)
    for (const [op, result] of done) Deferred.doneUnsafe(op.done, result)
  })

  const writer = yield* Queue.takeAll(ops).pipe(
    Effect.flatMap(step),
    Effect.forever,
    Effect.catch(() => Effect.void),
    Effect.forkScoped({ uninterruptible: true })
  )
  // Whatever was accepted is written before the journal closes.
  yield* Effect.addFinalizer(() => Effect.andThen(Queue.end(ops), Fiber.await(writer)))

  /** Once it is in the queue it will be written, also if the caller is interrupted while it waits for that. */
  const offer = Effect.fnUntraced(function* (fields: Omit<Commit, "_tag" | "done">) {
    const done = yield* Deferred.make<Committed, StorageError>()
    const accepted = yield* Effect.uninterruptible(Queue.offer(ops, { _tag: "Commit", ...fields, done }))
    if (!accepted) return yield* closed
    return yield* Effect.interruptible(Deferred.await(done))
  })

  const journal: Journal = {
    epoch,
    syncs: options.syncs,
    state,
    live,
    lines: () => index.lines,
    segmentId: () => file?.ref.segmentId ?? null,
    commit: (steps, sync, extra) => offer({ steps, sync, onPublish: extra?.onPublish, rollback: undefined }),
    rollback: (mark, steps) => offer({ steps, sync: true, onPublish: undefined, rollback: mark }),
    emit: (...events) => Effect.asVoid(Queue.offer(ops, { _tag: "Emit", events })),
    setWaitingOn: (waitingOn) => {
      live.waitingOn = waitingOn
    },
    attach: attach({ epoch, hub, index, live, retained, state, seq: () => seq, file: () => file }),
    view: () => index.view(),
    file: () => file
  }
  return journal
})

const rollbackMark = ({ from, leg, outcome, runId }: Rollback, to: number): Draft => ({
  kind: "extension",
  domain: "pod.mark",
  payload: { op: "rollback", from, to, run_id: runId, leg, outcome: outcome as unknown as Schema.Json }
})

/** A user's message, and what was put right behind it, is announced before the invoke in front of it. */
const inOrder = (events: ReadonlyArray<Announcement>): ReadonlyArray<Announcement> => {
  const ordered: Array<Announcement> = []
  for (let i = 0; i < events.length; i++) {
    const here = events[i] as Announcement
    if (here.event.event !== "invoke_start" || events[i + 1]?.event.event !== "user_message") {
      ordered.push(here)
      continue
    }
    let last = i + 1
    while (events[last + 1]?.bytes === 0) last += 1
    ordered.push(...events.slice(i + 1, last + 1), here)
    i = last
  }
  return ordered
}

const concat = (pieces: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (pieces.length === 1) return pieces[0] as Uint8Array
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

const closed = Effect.fail(
  new StorageError({ reason: "Io", operation: "append", path: "journal", message: "the pod has stopped" })
)

/** A defect of the store must not take the journal's fiber with it. */
const broke = (defect: unknown) =>
  Effect.fail(
    new StorageError({
      reason: "Io",
      operation: "append",
      path: "journal",
      message: `the store broke: ${defect instanceof Error ? defect.message : "unknown defect"}`
    })
  )
