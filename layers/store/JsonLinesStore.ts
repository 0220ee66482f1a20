/**
 * `SessionStore` on files: `<sessionsDir>/<session_id>/<segment_id>.jsonl`.
 *
 * A file only grows, by whole batches. A batch that cannot be written or synced is taken back, so that a failed append
 * has not happened. What somebody else wrote is never touched. Directories are 0700, files 0600.
 */
import * as Fs from "node:fs"
import * as FsPromises from "node:fs/promises"
import * as Path from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { type SegmentFile, type SegmentRef, SessionStore } from "../../src/session/SessionStore.ts"
import { StorageError } from "../../src/session/StorageError.ts"
import { entriesOf, makePrivate, syncDirectory } from "./Directory.ts"
import { type OpenFile, openFile } from "./OpenFile.ts"
import { linkFile, realPath, removeSegment } from "./SegmentNames.ts"
import { newestFirst } from "./SegmentOrder.ts"
import { systemError } from "./SystemError.ts"
import { saveTail } from "./TornTail.ts"

export interface JsonLinesOptions {
  /** Absolute. Made when the first segment is. */
  readonly sessionsDir: string
}

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR } = Fs.constants
const suffix = ".jsonl"
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const layer = (options: JsonLinesOptions): Layer.Layer<SessionStore> =>
  Layer.succeed(SessionStore, make(options))

const make = ({ sessionsDir }: JsonLinesOptions): SessionStore["Service"] => {
  const directoryOf = (ref: SegmentRef) => Path.join(sessionsDir, ref.sessionId)
  const pathOf = (ref: SegmentRef) => Path.join(directoryOf(ref), `${ref.segmentId}${suffix}`)

  return {
    syncs: true,
    create: Effect.fn("JsonLinesStore.create")(function* (ref) {
      yield* checkIds("create", ref)
      const path = pathOf(ref)
      const changed = yield* makePrivate(directoryOf(ref))
      const file = yield* openFile(path, O_RDWR | O_APPEND | O_CREAT | O_EXCL, systemError("create", path, reasons))
      return yield* segmentFile(ref, file, new Set([directoryOf(ref), sessionsDir, ...changed]), undefined)
    }),
    open: Effect.fn("JsonLinesStore.open")(function* (ref) {
      yield* checkIds("open", ref)
      const path = pathOf(ref)
      const toError = systemError("open", path, reasons)
      // The process that made the file may have died before it synced the directories.
      const unsynced = new Set([directoryOf(ref), sessionsDir])
      return yield* openFile(path, O_RDWR | O_APPEND, toError).pipe(
        Effect.flatMap((file) => segmentFile(ref, file, unsynced, undefined)),
        Effect.catchIf(
          (error) => error.code !== undefined && readOnlyCodes.has(error.code),
          (refused) =>
            Effect.flatMap(openFile(path, O_RDONLY, toError), (file) => segmentFile(ref, file, unsynced, refused))
        )
      )
    }),
    link: Effect.fn("JsonLinesStore.link")(function* (ref, sessionId) {
      const other = { sessionId, segmentId: ref.segmentId }
      yield* checkIds("link", ref)
      yield* checkIds("link", other)
      const source = yield* realPath("link", pathOf(ref))
      const changed = yield* makePrivate(directoryOf(other))
      yield* linkFile(source, pathOf(other))
      yield* Effect.forEach(new Set([directoryOf(other), sessionsDir, ...changed]), syncDirectory, { discard: true })
    }),
    remove: Effect.fn("JsonLinesStore.remove")(function* (ref) {
      yield* checkIds("remove", ref)
      yield* Effect.uninterruptible(removeSegment(directoryOf(ref), pathOf(ref), ref.segmentId))
    }),
    list: Effect.withSpan("JsonLinesStore.list")(list(sessionsDir))
  }
}

const reasons = { EEXIST: "Exists", ENOENT: "NotFound" } as const
/** A session that may not be written can still be read. */
const readOnlyCodes = new Set(["EACCES", "EPERM", "EROFS"])

/** The ids become parts of a path. */
const checkIds = (operation: string, ref: SegmentRef): Effect.Effect<void, StorageError> => {
  const bad = [ref.sessionId, ref.segmentId].find((id) => !uuid.test(id))
  if (bad === undefined) return Effect.void
  return Effect.fail(
    new StorageError({
      reason: operation === "open" ? "NotFound" : "Io",
      operation,
      path: bad,
      message: `${operation} failed: ${JSON.stringify(bad)} is no session or segment; expected a UUID in lower case`
    })
  )
}

/** `unsynced`: directories whose names may not be on the disk yet. `refused`: why this file takes no appends. */
const segmentFile = (
  ref: SegmentRef,
  file: OpenFile,
  unsynced: ReadonlySet<string>,
  refused: StorageError | undefined
): Effect.Effect<SegmentFile, never, Scope.Scope> => {
  const { path } = file
  // Two appends at once would both find the right length.
  const writing = Semaphore.makeUnsafe(1)
  let broken = refused
  let directories = unsynced
  let syncedTo = 0
  /** Bytes of a failed append that are still there. */
  let left: { readonly from: number; readonly to: number } | undefined

  /** Also finds that the path leads elsewhere now: what is written to a removed file is lost when it is closed. */
  const expectSize = Effect.fnUntraced(function* (at: number) {
    const { inode, size } = yield* file.stat
    if (size !== at) return yield* moved(path, at, `it has ${size} bytes, but its writer left it at ${at}`)
    if (inodeAt(path) !== inode) {
      return yield* moved(path, at, "it was removed or replaced while it was open")
    }
  })

  /** After a failure the batch is not there: neither whole, nor half, nor after a power cut. */
  const takeBack = Effect.fnUntraced(function* (at: number, bytes: Uint8Array, error: StorageError) {
    // A failed sync may have dropped any page that was not on the disk, also of batches that were fine until now.
    if (error.operation === "sync" && syncedTo < at) broken = cannotTrust(path, error)
    const there = yield* file.read(at, at + bytes.length + 1)
    // What is longer, or other than ours, somebody else has written meanwhile.
    if (there.length > 0 && isFront(there, bytes)) left = { from: at, to: at + there.length }
    yield* Effect.ignore(removeLeft)
    return yield* error
  })

  /** A disk that takes nothing may not give anything back either: then it is done before the next append. */
  const removeLeft = Effect.gen(function* () {
    if (left === undefined) return
    const { size } = yield* file.stat
    if (size > left.from && size <= left.to) {
      yield* file.truncate(left.from)
      yield* Effect.ignore(file.sync)
    }
    left = undefined
  })

  const append = Effect.fnUntraced(function* (bytes: Uint8Array, at: number, sync: boolean) {
    if (broken !== undefined) return yield* broken
    yield* removeLeft
    yield* expectSize(at)
    yield* file.append(bytes, sync).pipe(
      Effect.andThen(sync && directories.size > 0 ? syncDirectories : Effect.void),
      Effect.catch((error) => takeBack(at, bytes, error))
    )
    yield* expectSize(at + bytes.length)
    if (sync) syncedTo = at + bytes.length
  })

  const syncDirectories = Effect.suspend(() =>
    Effect.andThen(
      Effect.forEach(directories, syncDirectory, { concurrency: "unbounded", discard: true }),
      Effect.sync(() => {
        directories = new Set()
      })
    )
  )

  const syncAll = Effect.gen(function* () {
    // What may not be written can still be synced: others have written it.
    if (broken !== undefined && broken !== refused) return yield* broken
    const { size } = yield* file.stat
    yield* Effect.tapError(file.sync, (error) =>
      Effect.sync(() => {
        broken = cannotTrust(path, error)
      })
    )
    if (directories.size > 0) yield* syncDirectories
    syncedTo = size
  })

  const cutTail = Effect.fnUntraced(function* (keep: number) {
    if (broken !== undefined) return yield* broken
    const savedTo = yield* saveTail(file, keep)
    yield* file.truncate(keep)
    yield* file.sync
    syncedTo = keep
    return { savedTo }
  })

  const segment: SegmentFile = {
    ref,
    path,
    size: Effect.map(file.stat, ({ size }) => size),
    append: (bytes, { at, sync }) => writing.withPermit(Effect.uninterruptible(append(bytes, at, sync))),
    sync: writing.withPermit(Effect.uninterruptible(syncAll)),
    isNamed: file.stat.pipe(
      Effect.map(({ inode }) => inode === inodeAt(path)),
      // One that was retired is known by its name alone.
      Effect.catchIf(
        ({ reason }) => reason === "Moved",
        () => Effect.succeed(false)
      )
    ),
    read: file.read,
    retire: file.retire,
    cutTail: (keep) => writing.withPermit(Effect.uninterruptible(cutTail(keep)))
  }
  // What has begun to be written is finished before the file is closed.
  return Effect.as(
    Effect.addFinalizer(() => writing.withPermit(Effect.void)),
    segment
  )
}

/** Asked before and after each append: 3 µs here, 40 by way of the thread pool. */
const inodeAt = (path: string): number | undefined => {
  try {
    return Fs.statSync(path).ino
  } catch {
    return undefined
  }
}

const isFront = (front: Uint8Array, of: Uint8Array): boolean =>
  front.length <= of.length && front.every((byte, i) => byte === of[i])

const moved = (path: string, at: number, what: string): StorageError =>
  new StorageError({
    reason: "Moved",
    operation: "append",
    path,
    byte: at,
    message: `append failed for ${path}: ${what}; somebody else has changed this file`,
    hint: "find out who writes to it; a restart of the pod reads what is there and goes on behind it"
  })

const cannotTrust = (path: string, error: StorageError): StorageError =>
  new StorageError({
    reason: "Io",
    operation: "append",
    path,
    message: `append refused for ${path}: the end of the file may not be on the disk, because an earlier ${error.message}`,
    ...(error.code === undefined ? {} : { code: error.code }),
    hint: "look at the disk, then restart the pod: it reads what is really there and goes on from it"
  })

/** Directories that are not a session's, and files that are not a segment's, are none of our business. */
const list = Effect.fnUntraced(function* (sessionsDir: string) {
  const sessions = (yield* entriesOf(sessionsDir)).filter((entry) => entry.isDirectory() && uuid.test(entry.name))
  const found = yield* Effect.forEach(sessions, ({ name }) => segmentsOf(Path.join(sessionsDir, name), name), {
    concurrency: 16
  })
  return found.flat().toSorted(newestFirst)
})

const segmentsOf = Effect.fnUntraced(
  function* (directory: string, sessionId: string) {
    const names = (yield* entriesOf(directory)).filter((entry) => entry.isFile()).map((entry) => entry.name)
    const segments = names.flatMap((name) => {
      const segmentId = name.endsWith(suffix) ? name.slice(0, -suffix.length) : ""
      return uuid.test(segmentId) ? [{ sessionId, segmentId, path: Path.join(directory, name) }] : []
    })
    return yield* Effect.forEach(segments, ({ path, segmentId }) =>
      Effect.map(
        Effect.tryPromise({ try: () => FsPromises.stat(path), catch: systemError("list", path) }),
        ({ size }) => ({ sessionId, segmentId, bytes: size })
      )
    )
  },
  // One session that cannot be read, or that goes away meanwhile, hides no other.
  Effect.catch((error) => Effect.as(Effect.logWarning(error.message), []))
)
