/** The log of a pod read from its segment file, without a process that owns it. Nothing is written. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { SessionState } from "../session/Fold.ts"
import { readLog } from "../session/LogReader.ts"
import { replay } from "../session/Replay.ts"
import type { SegmentRef } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"
import type { Machine } from "./Machine.ts"

export interface DiskLog {
  readonly path: string
  /** Entries in the log. */
  readonly total: number
  /** Bytes behind the last whole batch: a write that was cut. */
  readonly tornBytes: number
  /** What the session is. */
  readonly state: SessionState
  /** The entries from ≤ i < to as they stand in the file. */
  readonly entries: (from: number, to: number) => Stream.Stream<ReadonlyArray<string>, StorageError>
}

/** Fails with `Corrupt` and the place if a committed line cannot be read. */
export const openLog = Effect.fn("DiskLog.open")(function* (
  machine: Pick<Machine, "sessions">,
  ref: SegmentRef
): Effect.fn.Return<DiskLog, StorageError, Scope.Scope> {
  const file = yield* machine.sessions.open(ref)
  const { content, tornBytes } = yield* replay(file, { sessions: machine.sessions })
  const log = content.source(file)
  return {
    path: file.path,
    total: log.view.total,
    tornBytes,
    state: content.state,
    entries: (from, to) => readLog(log, from, to)
  }
})
