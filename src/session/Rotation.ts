/**
 * Going on in another segment of the same session: behind our own lines when somebody else has changed the file, or
 * behind an earlier segment when the session is taken back to there.
 *
 * The new segment is whole on disk before the pod's metadata name it. A crash in between leaves the pod where it was.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { BroadcastEvent } from "../protocol/Event.ts"
import { announce } from "./Announce.ts"
import { concat, encode } from "./Batch.ts"
import type { Content } from "./Content.ts"
import { type Behind, type Carried, rotation } from "./Lineage.ts"
import { type Base, replay } from "./Replay.ts"
import type { SegmentFile, SessionStore } from "./SessionStore.ts"
import type { StorageError } from "./StorageError.ts"

/** A segment that the pod may go on in. */
export interface Next {
  readonly file: SegmentFile
  /**
   * From now on a start of the pod opens this one. If it fails, the pod's metadata still name the one before, unless it
   * is `Unsettled`.
   */
  readonly adopt: Effect.Effect<void, StorageError>
  /** It is not needed after all. */
  readonly abandon: Effect.Effect<void>
}

export interface Prepared extends Next {
  readonly content: Content
  /** What is told about it, in order, each with the length of the entry behind it. */
  readonly events: ReadonlyArray<{ readonly event: BroadcastEvent; readonly bytes: number }>
}

export interface Options {
  readonly next: Effect.Effect<Next, StorageError>
  readonly sessions: Pick<SessionStore["Service"], "open" | "create">
  readonly syncs: boolean
}

/** Writes the new segment's first lines. The pod's own state is not touched. `known`: what need not be read for it. */
export const prepare = Effect.fn("Rotation.prepare")(function* (
  { next, sessions, syncs }: Options,
  content: Content,
  from: SegmentFile,
  behind: Behind,
  carried: Carried,
  known: Base | undefined
): Effect.fn.Return<Prepared, StorageError, Scope.Scope> {
  const steps = rotation(content.state, behind, carried)
  const encoded = encode(steps, yield* Clock.currentTimeMillis)
  const { abandon, adopt, file } = yield* next
  const fresh = yield* file.append(concat(encoded.pieces), { at: 0, sync: syncs }).pipe(
    Effect.andThen(
      replay(file, { sessions: withOpen(sessions, content, from), ...(known === undefined ? {} : { known }) })
    ),
    Effect.map((read) => read.content),
    Effect.onError(() => abandon)
  )
  const events = encoded.steps.flatMap(({ bytes, entry }) => {
    const event = entry === undefined ? undefined : announce(entry, content.state)
    return event === undefined ? [] : [{ event, bytes }]
  })
  return { file, adopt, abandon, content: fresh, events }
})

/** Segments that are open already are not opened again. */
export const withOpen = (
  sessions: Options["sessions"],
  { base }: Content,
  own: SegmentFile
): Pick<SessionStore["Service"], "open"> => ({
  open: (ref) => {
    const known = [own, ...(base?.segments ?? []).map(({ file }) => file)].find(
      (file) => file.ref.segmentId === ref.segmentId
    )
    return known === undefined ? sessions.open(ref) : Effect.succeed(known)
  }
})
