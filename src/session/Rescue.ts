/**
 * A segment of ours whose file somebody else has removed or replaced: what we wrote is read from the file that is open
 * still, and given a name again. What its name leads to now is somebody else's and is never taken for ours.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Content } from "./Content.ts"
import type { Next, Options } from "./Rotation.ts"
import type { SegmentFile, SessionStore } from "./SessionStore.ts"
import { StorageError } from "./StorageError.ts"

/** The part of a file that counts. */
export interface Prefix {
  readonly file: SegmentFile
  readonly bytes: number
}

/** Bytes of one read and one write. */
const chunkBytes = 1 << 20

/** Into an empty segment. */
export const copy = Effect.fnUntraced(function* (
  { bytes, file }: Prefix,
  to: SegmentFile,
  sync: boolean
): Effect.fn.Return<void, StorageError> {
  for (let at = 0; at < bytes; at += chunkBytes) {
    const end = Math.min(bytes, at + chunkBytes)
    const chunk = yield* file.read(at, end)
    if (chunk.length < end - at) return yield* tooShort({ file, bytes })
    yield* to.append(chunk, { at, sync: sync && end === bytes })
  }
})

/**
 * Another segment with the bytes of this one. What it goes on behind gets its names again where they were removed; where
 * they lead to something else, nothing can be done.
 */
export const rescue = Effect.fn("Rescue.rescue")(function* (
  { next, sessions, syncs }: Options,
  { base }: Content,
  own: Prefix
): Effect.fn.Return<Next, StorageError> {
  for (const { file } of base?.segments ?? []) {
    if (yield* file.isNamed) continue
    const again = Effect.catchIf(
      sessions.create(file.ref),
      ({ reason }) => reason === "Exists",
      () => replaced(file)
    )
    const bytes = yield* file.size
    yield* Effect.scoped(Effect.flatMap(again, (made) => copy({ file, bytes }, made, syncs)))
  }
  const made = yield* next
  yield* Effect.onError(copy(own, made.file, syncs), () => made.abandon)
  return made
})

/** Makes it a member of another session too: by a further name, or where it has none of its own any more as a copy. */
export const share = Effect.fn("Rescue.share")(function* (
  sessions: SessionStore["Service"],
  { bytes, file }: Prefix,
  sessionId: string,
  sync: boolean
): Effect.fn.Return<void, StorageError, Scope.Scope> {
  if ((yield* file.size) < bytes) return yield* tooShort({ file, bytes })
  const ref = { sessionId, segmentId: file.ref.segmentId }
  if (yield* file.isNamed) {
    if (sync) yield* file.sync
    yield* sessions.link(file.ref, sessionId)
    // Looked at again behind it: what was linked is what is open here.
    if (yield* file.isNamed) return
    yield* sessions.remove(ref)
  }
  yield* copy({ file, bytes }, yield* sessions.create(ref), sync)
})

export const tooShort = ({ bytes, file: { path } }: Prefix): StorageError =>
  new StorageError({
    reason: "Moved",
    operation: "read",
    path,
    message: `${path}: somebody else has cut this file off: less is left of it than the ${bytes} bytes that were written`,
    hint: "bring the file back from a copy, or restart the pod: it goes on from what is left"
  })

const replaced = ({ path }: SegmentFile) =>
  Effect.fail(
    new StorageError({
      reason: "Moved",
      operation: "read",
      path,
      message: `${path}: somebody else has replaced this file, which the session goes on behind`,
      hint: "move what is there away, or bring the file back from a copy"
    })
  )
