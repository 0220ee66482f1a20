/** Ids are UUIDv7, so their text is in order of time. */
import type { SegmentRef } from "../../src/session/SessionStore.ts"

export const newestFirst = (a: SegmentRef, b: SegmentRef): number =>
  compare(b.segmentId, a.segmentId) || compare(b.sessionId, a.sessionId)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
