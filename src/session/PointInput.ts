/** What a user had said at a place to which the session can be taken back. */
import * as Effect from "effect/Effect"
import type { Segment } from "../protocol/Segment.ts"
import { parse } from "./History.ts"
import type { RewindPoint } from "./RewindPoints.ts"
import type { SegmentFile } from "./SessionStore.ts"
import type { StorageError } from "./StorageError.ts"

/** `files` are the segments of the session that are open. */
export const inputAt = (
  files: ReadonlyArray<SegmentFile>,
  { input, segmentId }: RewindPoint
): Effect.Effect<ReadonlyArray<Segment>, StorageError> => {
  const file = files.find(({ ref }) => ref.segmentId === segmentId)
  if (file === undefined) return Effect.succeed([])
  const { from, to } = input
  return file.read(from, to).pipe(
    Effect.flatMap((bytes) => parse({ file, from, to }, new TextDecoder().decode(bytes))),
    Effect.map((entry) => (entry.kind === "user_input" ? entry.segments : []))
  )
}
