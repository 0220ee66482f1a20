/**
 * Where segments are kept: files of bytes that only grow.
 *
 * It knows nothing of entries. A batch is appended whole or not at all; what was committed is never rewritten.
 * There is one writer per segment, and the lease is what guarantees that.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { StorageError } from "./StorageError.ts"

export interface SegmentRef {
  readonly sessionId: string
  readonly segmentId: string
}

/** One open segment. */
export interface SegmentFile {
  readonly ref: SegmentRef
  /** For messages: a path, or a name for what has none. */
  readonly path: string
  /** Bytes in the segment now, also if somebody else wrote them. */
  readonly size: Effect.Effect<number, StorageError>
  /**
   * Appends `bytes` behind the first `at` bytes. Fails with `Moved` if the segment is not exactly that long, and leaves
   * it exactly that long if the write fails half-way. `sync: true` returns only when the bytes survive a power cut.
   */
  readonly append: (
    bytes: Uint8Array,
    options: { readonly at: number; readonly sync: boolean }
  ) => Effect.Effect<void, StorageError>
  /** What was appended until now survives a power cut when this returns. */
  readonly sync: Effect.Effect<void, StorageError>
  /** Its name still leads to these bytes. False when somebody has removed or replaced it: whoever has it open has it. */
  readonly isNamed: Effect.Effect<boolean, StorageError>
  /** Bytes `from` ≤ i < `to`; shorter at the end of the segment. */
  readonly read: (from: number, to: number) => Effect.Effect<Uint8Array, StorageError>
  /**
   * Takes what stands behind the first `keep` bytes out of the segment and keeps it in a side file: a torn line, a batch
   * without its last line, a write that was given up. Nothing that was ever told to be committed may be given here.
   */
  readonly cutTail: (keep: number) => Effect.Effect<{ readonly savedTo: string }, StorageError>
  /**
   * Nobody writes to it any more and hardly anybody reads it: what the system counts is given back. It can be used as
   * before, as long as its name leads to it.
   */
  readonly retire: Effect.Effect<void>
}

export class SessionStore extends Context.Service<
  SessionStore,
  {
    /** False for a store that a power cut empties, whatever is asked of it. */
    readonly syncs: boolean
    /** A new, empty segment; `Exists` if there is one. The directory entry is synced with the first synced append. */
    readonly create: (ref: SegmentRef) => Effect.Effect<SegmentFile, StorageError, Scope.Scope>
    readonly open: (ref: SegmentRef) => Effect.Effect<SegmentFile, StorageError, Scope.Scope>
    /**
     * Makes the segment a member of another session too, at a cost that does not grow with its length: a fork reads its
     * base there. Both names lead to the same bytes; either stays readable when the other is removed. There already:
     * nothing to do. `NotFound` if there is no such segment. Both names survive a power cut; the bytes as far as they
     * did before.
     */
    readonly link: (ref: SegmentRef, sessionId: string) => Effect.Effect<void, StorageError>
    /**
     * Removes the segment from this session, with its side files; not there: nothing to do. A session without segments
     * goes with its last one. Who has it open can still read it, and is refused to append.
     */
    readonly remove: (ref: SegmentRef) => Effect.Effect<void, StorageError>
    /** Every segment of every session, newest first. */
    readonly list: Effect.Effect<ReadonlyArray<SegmentRef & { readonly bytes: number }>, StorageError>
  }
>()("effect-pod/session/SessionStore") {}
