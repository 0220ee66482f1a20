/**
 * The one ordered truth of a pod. One fiber writes entries, numbers events and publishes them, in one order.
 *
 * `commit` returns after the store has accepted the entries and after they were folded and published; if it fails,
 * nothing happened. `emit` publishes what is not kept. Both wait when the journal is behind: that is the back-pressure
 * on a model that talks faster than anything can be written.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Cause from "effect/Cause"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import type { BroadcastEvent, Envelope } from "../protocol/Event.ts"
import type { WaitingOn } from "../protocol/Inbox.ts"
import type { RewindSummary } from "../protocol/Rewind.ts"
import type { Segment } from "../protocol/Segment.ts"
import { announce, type Emission } from "./Announce.ts"
import type { Attachment } from "./Attachment.ts"
import { attach } from "./Attach.ts"
import type { Step } from "./Batch.ts"
import * as Change from "./Change.ts"
import type { Past, Place } from "./Content.ts"
import type * as Fold from "./Fold.ts"
import * as Live from "./Live.ts"
import { lateLog, type LogSource } from "./LogReader.ts"
import { inputAt } from "./PointInput.ts"
import { Retained } from "./Retained.ts"
import type { RewindPoint, RewindPoints } from "./RewindPoints.ts"
import * as SegmentWriter from "./SegmentWriter.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

export type { Step } from "./Batch.ts"

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
  readonly rollback: (rollback: Change.Rollback, steps: ReadonlyArray<Step>) => Effect.Effect<Committed, StorageError>
  /** Takes the log back, or brings back what was hidden. The first number is that of the event that tells. */
  readonly change: (
    change: Change.Rewind | Change.Undo,
    steps: ReadonlyArray<Step>,
    options?: CommitOptions
  ) => Effect.Effect<Committed, StorageError>
  readonly points: RewindPoints
  /** What going back to this point would do to the log. */
  readonly summaryOf: (point: RewindPoint) => RewindSummary
  /** What was said at this point, read from the file. */
  readonly inputAt: (point: RewindPoint) => Effect.Effect<ReadonlyArray<Segment>, StorageError>
  readonly attach: Effect.Effect<Attachment, never, Scope.Scope>
  /** The log as it is now. */
  readonly source: () => LogSource
  /** The segment that is written now, and those that it goes on behind, nearest first. */
  readonly files: () => ReadonlyArray<SegmentFile>
  /** What leads to a place of this session, for what is to go on behind it. */
  readonly past: (place: Place) => Past
  /** Bytes of the current segment that are written and folded. */
  readonly bytes: () => number
}

interface Commit {
  readonly _tag: "Commit"
  readonly steps: ReadonlyArray<Step>
  readonly sync: boolean
  readonly onPublish: ((committed: Committed) => void) | undefined
  readonly change: Change.Change | undefined
  readonly done: Deferred.Deferred<Committed, StorageError>
}

interface Emit {
  readonly _tag: "Emit"
  readonly events: ReadonlyArray<BroadcastEvent>
}

type Op = Commit | Emit

export interface JournalOptions extends Omit<SegmentWriter.WriterOptions, "owner"> {
  readonly epoch: string
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

export const make = Effect.fn("Journal.make")(function* (options: JournalOptions) {
  const { content, epoch } = options
  const { index, points, state } = content
  const live = Live.make()
  live.turn = state.turnCount
  live.status = state.run?.state === "paused" ? "paused" : "idle"
  const ops = yield* Queue.bounded<Op, Cause.Done>(opsBound)
  const hub = yield* PubSub.sliding<Envelope>(hubBound)
  const retained = new Retained()
  // A Scope of its own: the journal still writes while the pod's is being closed.
  const owner = yield* Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))
  const segment = SegmentWriter.make({ ...options, owner })
  const segmentId = () => segment.file()?.ref.segmentId ?? ""
  let seq = 0

  /** `bytes` is the length of the entry behind a durable event, 0 for any other event. */
  const number = (event: BroadcastEvent, bytes: number, out: Array<Envelope>): number => {
    seq += 1
    Live.apply(live, event)
    const envelope: Envelope = bytes > 0 ? { ...event, seq, durable: true } : { ...event, seq }
    const isLate = event.event === "rewind_applied" || (event.event === "segment_rotated" && content.base !== undefined)
    if (isLate) Object.assign(envelope, { [lateLog]: content.source(segment.file()) })
    if (bytes > 0) retained.add(envelope, bytes)
    out.push(envelope)
    return seq
  }

  /** Everything that becomes true with a commit becomes true here, without a pause in between. */
  const publishCommit = (
    commit: Commit,
    { opened, rollback, steps }: SegmentWriter.Written,
    synced: boolean,
    changed: number,
    out: Array<Envelope>
  ): Committed => {
    const seqs = steps.map(() => 0)
    const events: Array<Announcement> = []
    if (rollback !== undefined) content.rollback(rollback.from, rollback.checkpoint, segmentId())
    // Only entries are lines: what a segment opens with may have events among it.
    const line = index.lines + steps.slice(0, opened).filter(({ entry }) => entry !== undefined).length
    steps.forEach(({ bytes, entry, step }, at) => {
      if (entry === undefined) {
        events.push({ at, event: (step as Emission).emit, bytes: 0 })
        return
      }
      const event = "silent" in step ? undefined : announce(entry, state)
      if (event !== undefined) events.push({ at, event, bytes })
      content.add(entry, bytes, segmentId())
    })
    for (const { at, bytes, event } of inOrder(events)) seqs[at] = number(event, bytes, out)
    const own = opened === 0 ? seqs : seqs.slice(opened)
    const committed = { seqs: changed > 0 ? [changed, ...own] : own, synced, line }
    commit.onPublish?.(committed)
    return committed
  }

  /** What was written becomes true; returns the number of the event that tells of a change, if there is one. */
  const settle = (result: SegmentWriter.Result, out: Array<Envelope>): number => {
    segment.settle(result)
    let changed = 0
    for (const { bytes, event } of result.rotation?.events ?? []) {
      const given = number(event, bytes, out)
      if (event.event === "rewind_applied") changed = given
    }
    return changed
  }

  /** A change is planned on what is ours: a file that somebody else has written to is left before it. */
  const leave = Effect.gen(function* () {
    const left = yield* Effect.catchCause(segment.leave, () => Effect.undefined)
    if (left === undefined) return
    const out: Array<Envelope> = []
    settle(left, out)
    yield* PubSub.publishAll(hub, out)
    yield* segment.retire
  })

  const step = Effect.fnUntraced(function* (batch: ReadonlyArray<Op>) {
    if (isAlone(batch[0])) yield* leave
    const commits = batch.filter((op) => op._tag === "Commit")
    const exit =
      commits.length === 0
        ? Exit.succeed(nothingWritten)
        : yield* Effect.exit(Effect.catchDefect(segment.write(commits), broke))
    const out: Array<Envelope> = []
    const done: Array<readonly [Commit, Exit.Exit<Committed, StorageError>]> = []
    const changed = Exit.isSuccess(exit) ? settle(exit.value, out) : 0
    let next = 0
    for (const op of batch) {
      if (op._tag === "Emit") for (const event of op.events) number(event, 0, out)
      else if (Exit.isFailure(exit)) done.push([op, Exit.failCause(exit.cause)])
      else {
        const written = exit.value.written[next++] as SegmentWriter.Written
        done.push([op, Exit.succeed(publishCommit(op, written, exit.value.synced, changed, out))])
      }
    }
    if (out.length > 0) yield* PubSub.publishAll(hub, out)
    for (const [op, result] of done) Deferred.doneUnsafe(op.done, result)
    yield* segment.retire
  })

  const writer = yield* Queue.takeAll(ops).pipe(
    Effect.flatMap((batch) => Effect.forEach(groups(batch), step, { discard: true })),
    Effect.forever,
    Effect.ignore,
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

  const files = () => {
    const file = segment.file()
    return file === undefined ? [] : [file, ...(content.base?.segments ?? []).map((under) => under.file)]
  }

  const journal: Journal = {
    epoch,
    syncs: options.syncs,
    state,
    live,
    points,
    segmentId: () => segment.file()?.ref.segmentId ?? null,
    commit: (steps, sync, extra) => offer({ steps, sync, onPublish: extra?.onPublish, change: undefined }),
    rollback: (change, steps) => offer({ steps, sync: true, onPublish: undefined, change }),
    change: (change, steps, extra) => offer({ steps, sync: true, onPublish: extra?.onPublish, change }),
    summaryOf: (point) => Change.summaryOf(content, segmentId(), point),
    inputAt: (point) => inputAt(files(), point),
    emit: (...events) => Effect.asVoid(Queue.offer(ops, { _tag: "Emit", events })),
    setWaitingOn: (waitingOn) => {
      live.waitingOn = waitingOn
    },
    attach: attach({ epoch, hub, live, retained, state, seq: () => seq, source: () => content.source(segment.file()) }),
    source: () => content.source(segment.file()),
    files,
    past: (place) => content.past(place, segment.file()),
    bytes: () => index.bytes
  }
  return journal
})

const nothingWritten: SegmentWriter.Result = {
  written: [],
  synced: false,
  rotation: undefined,
  replaced: undefined,
  rewound: undefined
}

const isAlone = (op: Op | undefined): boolean =>
  op?._tag === "Commit" && op.change !== undefined && op.change._tag !== "Rollback"

/** A change of what was written before comes alone; everything else is written with what waits beside it. */
const groups = (batch: ReadonlyArray<Op>): ReadonlyArray<ReadonlyArray<Op>> => {
  if (!batch.some(isAlone)) return [batch]
  const out: Array<Array<Op>> = []
  for (const op of batch) {
    const last = out.at(-1)
    if (last === undefined || isAlone(op) || isAlone(last[0])) out.push([op])
    else last.push(op)
  }
  return out
}

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
