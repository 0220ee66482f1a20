/**
 * Going on in another segment of the same session: behind our own lines when somebody else has written to the file, or
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
import { replay } from "./Replay.ts"
import type { SegmentFile, SessionStore } from "./SessionStore.ts"
import type { StorageError } from "./StorageError.ts"

/** A segment that the pod may go on in. */
export interface Next {
  readonly file: SegmentFile
  /** From now on a start of the pod opens this one. */
  readonly adopt: Effect.Effect<void, StorageError>
}

export interface Prepared extends Next {
  readonly content: Content
  /** What is told about it, in order, each with the length of the entry behind it. */
  readonly events: ReadonlyArray<{ readonly event: BroadcastEvent; readonly bytes: number }>
}

export interface Options {
  readonly next: Effect.Effect<Next, StorageError>
  readonly sessions: Pick<SessionStore["Service"], "open">
  readonly syncs: boolean
}

/** Writes the new segment's first lines. The pod's own state is not touched. */
export const prepare = Effect.fn("Rotation.prepare")(function* (
  { next, sessions, syncs }: Options,
  content: Content,
  behind: Behind,
  carried: Carried
): Effect.fn.Return<Prepared, StorageError, Scope.Scope> {
  const { adopt, file } = yield* next
  const steps = rotation(content.state, behind, carried)
  const encoded = encode(steps, yield* Clock.currentTimeMillis)
  yield* file.append(concat(encoded.pieces), { at: 0, sync: syncs })
  const fresh = (yield* replay(file, { sessions: withOpen(sessions, content) })).content
  const events = encoded.steps.flatMap(({ bytes, entry }) => {
    const event = entry === undefined ? undefined : announce(entry, content.state)
    return event === undefined ? [] : [{ event, bytes }]
  })
  return { file, adopt, content: fresh, events }
})

/** Segments that are open already are not opened again. */
export const withOpen = (sessions: Options["sessions"], { base }: Content): Options["sessions"] => ({
  open: (ref) => {
    const known = base?.segments.find(({ file }) => file.ref.segmentId === ref.segmentId)
    return known === undefined ? sessions.open(ref) : Effect.succeed(known.file)
  }
})
