/**
 * A segment that is in this session by a further name only: it was written in another one, which has it still, and a
 * fork goes on behind it.
 *
 * The bytes are one file with two names, and each session has a lease of its own. So it is never appended to from here,
 * and what is cut at its end is left to its own pod. A pod that is to go on from it gets a segment behind it, like a
 * fork: with what was said, and nothing that waits or goes on, because that is the other pod's.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Ids from "../runtime/Ids.ts"
import { concat, encode } from "../session/Batch.ts"
import { hereAndNow } from "../session/Change.ts"
import type { Content } from "../session/Content.ts"
import * as Lineage from "../session/Lineage.ts"
import { replay } from "../session/Replay.ts"
import { withOpen } from "../session/Rotation.ts"
import { type SegmentFile, SessionStore } from "../session/SessionStore.ts"
import type { StorageError } from "../session/StorageError.ts"

interface Read {
  readonly content: Content
  readonly file: SegmentFile
}

/** Another session has it, and it was not written in this one. The first line of a segment says where it was. */
export const isLent = Effect.fn("Lent.isLent")(function* ({
  content: { state },
  file: { ref }
}: Read): Effect.fn.Return<boolean, StorageError, SessionStore> {
  if (state.sessionId === undefined || state.sessionId === ref.sessionId) return false
  const all = yield* (yield* SessionStore).list
  return all.some(({ segmentId, sessionId }) => segmentId === ref.segmentId && sessionId !== ref.sessionId)
})

/** The new segment, whole on the disk. Nothing names it yet. */
export const goOnBehind = Effect.fn("Lent.goOnBehind")(function* ({
  content,
  file
}: Read): Effect.fn.Return<Read, StorageError, SessionStore | Scope.Scope> {
  const sessions = yield* SessionStore
  const { sessionId } = file.ref
  const base = hereAndNow(content, file.ref.segmentId)
  const drafts = Lineage.fork(content.state, { sessionId, base, turns: content.state.turnCount })
  const { pieces } = encode(drafts, yield* Clock.currentTimeMillis)
  // What it goes on behind is on the disk before it is.
  yield* file.sync
  const ref = { sessionId, segmentId: yield* Ids.uuid }
  const made = yield* sessions.create(ref)
  const fresh = made.append(concat(pieces), { at: 0, sync: true }).pipe(
    Effect.andThen(
      replay(made, {
        sessions: withOpen(sessions, content, file),
        known: { heritage: content.heritage(file), bytes: content.index.bytes }
      })
    ),
    Effect.onError(() => Effect.ignore(sessions.remove(ref)))
  )
  return { content: (yield* fresh).content, file: made }
})
