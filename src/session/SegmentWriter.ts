/**
 * Brings commits to the segment: what the file gets, and what becomes of the content when it has it.
 *
 * Writing and applying are two steps. Writing may fail, and then nothing has happened; applying is one synchronous step
 * in the journal, in which everything becomes true that was written.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { MarkRecord } from "../protocol/PodRecord.ts"
import { concat, encode, type EncodedStep, type Step } from "./Batch.ts"
import * as Change from "./Change.ts"
import type { Content } from "./Content.ts"
import type { Carried, Behind } from "./Lineage.ts"
import { withMark } from "./Marks.ts"
import * as PatientFile from "./PatientFile.ts"
import { replay } from "./Replay.ts"
import type { RewindPoint } from "./RewindPoints.ts"
import * as Rescue from "./Rescue.ts"
import * as Rotation from "./Rotation.ts"
import type { SegmentFile } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

export interface WriterOptions extends Rotation.Options {
  readonly content: Content
  /** The open segment, or undefined if there is none yet. */
  readonly file: SegmentFile | undefined
  /** Makes the segment when the first entries come, and says what its first lines are. */
  readonly materialise: Effect.Effect<
    { readonly file: SegmentFile; readonly opening: ReadonlyArray<Step> },
    StorageError
  >
  /** Owns what is opened; it must outlive whoever writes. */
  readonly owner: Scope.Scope
}

export interface Request {
  readonly steps: ReadonlyArray<Step>
  readonly sync: boolean
  readonly change: Change.Change | undefined
}

/** A request as it was written. The first `opened` steps opened the segment and are nobody's. */
export interface Written {
  readonly opened: number
  readonly steps: ReadonlyArray<EncodedStep>
  /** The leg that its first own step undoes. */
  readonly rollback: Change.Rollback | undefined
}

export interface Result {
  readonly written: ReadonlyArray<Written>
  readonly synced: boolean
  /** The pod goes on in another segment; told before anything of the requests. */
  readonly rotation: Rotation.Prepared | undefined
  /** What the content is again with what a mark had hidden. */
  readonly replaced: Content | undefined
  /** Where a mark takes the content back to. */
  readonly rewound: RewindPoint | undefined
}

export interface SegmentWriter {
  readonly file: () => SegmentFile | undefined
  /** One write and at most one sync for all of them; none of them happens if it fails. A change comes alone. */
  readonly write: (requests: ReadonlyArray<Request>) => Effect.Effect<Result, StorageError>
  /** What leaves a file behind that somebody else has changed; undefined if nobody has, or if it cannot be left. */
  readonly leave: Effect.Effect<Result | undefined, StorageError>
  /** To be called in the step that applies the result. */
  readonly settle: (result: Result) => void
  /** Gives back what was opened for segments that this one does not go on behind any more. */
  readonly retire: Effect.Effect<void>
}

/** Twice what a single write is given. */
const limit = "60 seconds"

const stoodStill = (path: string): StorageError =>
  new StorageError({
    reason: "Io",
    operation: "append",
    path,
    message: `${path}: the store did not answer within ${limit} while the session moved to another segment`,
    hint: "look at the disk, then restart the pod: it goes on from what is really there"
  })

const movedAway = (path: string): StorageError =>
  new StorageError({
    reason: "Moved",
    operation: "append",
    path,
    message: `${path}: somebody else has changed this file`
  })

const nothingToUndo = (path: string): StorageError =>
  new StorageError({ reason: "NotFound", operation: "undo", path, message: `${path}: there is no rewind to undo` })

export const make = (options: WriterOptions): SegmentWriter => {
  const { content, owner } = options
  const { index, state } = content
  let file = options.file === undefined ? undefined : PatientFile.make(options.file, owner)
  /** Why nothing more is written. */
  let refused: StorageError | undefined
  const segmentPath = () => file?.path ?? "journal"
  /** First lines of a new segment that are not written yet. */
  let opening: ReadonlyArray<Step> = []
  /** Left, and not retired yet. */
  let left: ReadonlyArray<SegmentFile> = []

  const under = () => (content.base?.segments ?? []).map((segment) => segment.file)

  const ready = Effect.gen(function* () {
    if (file !== undefined) return file
    const made = yield* options.materialise
    opening = made.opening
    file = PatientFile.make(made.file, owner)
    return file
  })

  /** Into a segment that has `lines` lines in `bytes` bytes so far. */
  const append = Effect.fnUntraced(function* (
    into: SegmentFile,
    at: { readonly lines: number; readonly bytes: number },
    requests: ReadonlyArray<Request>,
    sync: boolean
  ) {
    const now = yield* Clock.currentTimeMillis
    const pieces: Array<Uint8Array> = []
    const written = requests.map(({ change, steps }, i): Written => {
      const opened = i === 0 ? opening : []
      const rollback = change?._tag === "Rollback" && change.segmentId === into.ref.segmentId ? change : undefined
      const own =
        rollback !== undefined
          ? [Change.rollbackMark(rollback, at.lines + pieces.length), ...steps]
          : change?._tag === "Rollback"
            ? change.otherwise
            : steps
      const encoded = encode([...opened, ...own], now)
      pieces.push(...encoded.pieces)
      return { opened: opened.length, steps: encoded.steps, rollback }
    })
    if (pieces.length > 0) yield* into.append(concat(pieces), { at: at.bytes, sync })
    return written
  })

  /** What it opens stays open, unless it fails. */
  const kept = Effect.fnUntraced(function* <A>(work: Effect.Effect<A, StorageError, Scope.Scope>) {
    const scope = yield* Scope.fork(owner)
    return yield* Effect.onError(Scope.provide(work, scope), (cause) => Scope.close(scope, Exit.failCause(cause)))
  })

  /**
   * Into the new segment goes what `requests` say; then the pod's metadata name it. `rescued` has taken the place of
   * `from` already, and is read as a restart would.
   */
  const rotate = Effect.fnUntraced(function* (
    from: SegmentFile,
    behind: Behind,
    carried: Carried,
    requests: ReadonlyArray<Request>,
    synced: boolean,
    rescued?: SegmentFile
  ): Effect.fn.Return<Result, StorageError> {
    if (options.syncs && rescued === undefined) yield* from.sync
    const known = rescued === undefined ? { heritage: content.heritage(from), bytes: index.bytes } : undefined
    const moved = Effect.gen(function* () {
      const rotation = yield* Rotation.prepare(options, content, from, behind, carried, known)
      const written = yield* append(rotation.file, rotation.content.index, requests, synced).pipe(
        Effect.onError(() => rotation.abandon)
      )
      yield* Effect.tapError(rotation.adopt, (error) =>
        Effect.suspend(() => {
          if (error.reason !== "Unsettled") return rotation.abandon
          refused = error
          return Effect.void
        })
      )
      return { rotation, written }
    })
    const { rotation, written } = yield* kept(moved)
    return { written, synced, rotation, replaced: undefined, rewound: undefined }
  })

  /**
   * For what is more than one write. A store that stands still here leaves open what it has done: nothing more is
   * written until a restart has looked.
   */
  const bounded = (work: Effect.Effect<Result, StorageError>): Effect.Effect<Result, StorageError> =>
    Effect.gen(function* () {
      if (refused !== undefined) return yield* refused
      const fiber = yield* Effect.forkIn(work, owner, { startImmediately: true })
      const exit = yield* Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), limit)
      if (Option.isSome(exit)) return yield* exit.value
      refused = stoodStill(segmentPath())
      fiber.interruptUnsafe()
      return yield* refused
    })

  const writeAll = Effect.fnUntraced(function* (
    requests: ReadonlyArray<Request>
  ): Effect.fn.Return<Result, StorageError> {
    // A barrier alone brings no segment into being.
    if (requests.every(({ change, steps }) => steps.length === 0 && change === undefined)) {
      const nothing = requests.map(() => ({ opened: 0, steps: [], rollback: undefined }))
      return { written: nothing, synced: false, rotation: undefined, replaced: undefined, rewound: undefined }
    }
    const into = yield* ready
    const synced = options.syncs && requests.some(({ sync }) => sync)
    return yield* append(into, index, requests, synced).pipe(
      Effect.map(
        (written): Result => ({ written, synced, rotation: undefined, replaced: undefined, rewound: undefined })
      ),
      Effect.catchIf(
        (error) => error.reason === "Moved",
        (error) => bounded(evade(into, requests, synced, error))
      )
    )
  })

  /**
   * Somebody else has written behind our lines, or the name of the file leads elsewhere. What is there now is theirs to
   * explain; we go on behind our own in a new segment.
   */
  const evade = Effect.fnUntraced(function* (
    from: SegmentFile,
    requests: ReadonlyArray<Request>,
    synced: boolean,
    error: StorageError
  ): Effect.fn.Return<Result, StorageError> {
    const own = { file: from, bytes: index.bytes }
    const size = yield* from.size
    if (size < index.bytes) return yield* Rescue.tooShort(own)
    const isNamed = yield* from.isNamed
    if (index.bytes === 0 || (size === index.bytes && isNamed)) return yield* error
    const rescued = isNamed ? undefined : yield* Rescue.rescue(options, content, own)
    const base = {
      ...Change.hereAndNow(content, from.ref.segmentId),
      ...Change.stillRewound(content, from.ref.segmentId)
    }
    const behind = {
      sessionId: from.ref.sessionId,
      base: rescued === undefined ? base : Change.renamed(base, from.ref.segmentId, rescued.file.ref.segmentId),
      turns: state.turnCount
    }
    const carried = { run: state.run, held: state.held }
    const result = yield* rotate(from, behind, carried, requests, synced, rescued?.file).pipe(
      Effect.tapError(({ reason }) => (reason === "Unsettled" ? Effect.void : (rescued?.abandon ?? Effect.void)))
    )
    // What it was written by; it is read by another one.
    yield* rescued?.file.retire ?? Effect.void
    const what = rescued === undefined ? "written to the journal" : "removed or replaced the journal's file"
    yield* Effect.logWarning(`somebody else has ${what}; the pod goes on in a new segment`, { path: from.path })
    return result
  })

  const change = Effect.fnUntraced(function* (
    request: Request,
    wanted: Change.Rewind | Change.Undo
  ): Effect.fn.Return<Result, StorageError> {
    const from = yield* ready
    if ((yield* from.size) < index.bytes) return yield* Rescue.tooShort({ file: from, bytes: index.bytes })
    const plan = Change.plan(content, from.ref.segmentId, wanted)
    if (plan === undefined) return yield* nothingToUndo(from.path)
    const synced = options.syncs && request.sync
    if (plan._tag === "Rotate") {
      const behind = { sessionId: from.ref.sessionId, base: plan.base, turns: plan.turns }
      return yield* rotate(from, behind, { run: undefined, held: true }, [{ ...request, change: undefined }], synced)
    }
    const replaced = plan.mark.op === "undo" ? yield* remarked(from, plan.mark) : undefined
    const mark =
      plan.mark.op === "undo" && replaced !== undefined
        ? { ...plan.mark, summary: Change.nothingGone(replaced.index.entries) }
        : plan.mark
    const steps = [Change.mark(mark), ...request.steps]
    const written = yield* append(from, index, [{ ...request, steps, change: undefined }], synced)
    return { written, synced, rotation: undefined, replaced, rewound: plan.point }
  })

  /**
   * What the session will be, before it is decided: a file that cannot be read changes nothing. No mark in it reaches
   * what it goes on behind, so that is not read again.
   */
  const remarked = Effect.fnUntraced(function* (from: SegmentFile, mark: MarkRecord) {
    const { base } = content
    const read = yield* kept(
      replay(from, {
        sessions: Rotation.withOpen(options.sessions, content, from),
        upTo: index.bytes,
        marks: withMark(content.marks, mark, index.lines),
        ...(base === undefined ? {} : { known: { heritage: base, bytes: base.record.bytes } })
      })
    )
    return read.content
  })

  return {
    file: () => file,
    write: (requests) => {
      if (refused !== undefined) return Effect.fail(refused)
      const [first] = requests
      return first?.change !== undefined && first.change._tag !== "Rollback"
        ? bounded(change(first, first.change))
        : writeAll(requests)
    },
    leave: Effect.suspend(() => {
      const from = file
      if (from === undefined || refused !== undefined) return Effect.undefined
      const isOurs = Effect.flatMap(from.size, (size) =>
        size > index.bytes ? Effect.succeed(false) : size < index.bytes ? Effect.succeed(true) : from.isNamed
      )
      return Effect.flatMap(isOurs, (ours) =>
        ours ? Effect.undefined : bounded(evade(from, [], false, movedAway(from.path)))
      )
    }),
    settle: ({ replaced, rewound, rotation, written }) => {
      if (written.some(({ opened }) => opened > 0)) opening = []
      if (replaced !== undefined) content.become(replaced)
      if (rewound !== undefined) content.rewind(rewound)
      if (rotation === undefined) return
      const before = file === undefined ? [] : [file, ...under()]
      content.become(rotation.content)
      file = PatientFile.make(rotation.file, owner)
      const now = new Set(under().map(({ ref }) => ref.segmentId))
      left = [...left, ...before.filter(({ ref }) => !now.has(ref.segmentId))]
    },
    retire: Effect.suspend(() => {
      const files = left
      left = []
      return Effect.forEach(files, ({ retire }) => retire, { discard: true })
    })
  }
}
