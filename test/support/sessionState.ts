/** The state of a session as values that can be compared, its history read. */
import * as Effect from "effect/Effect"
import type { SessionState } from "../../src/session/Fold.ts"
import { replay } from "../../src/session/Replay.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"

export const plain = (state: Readonly<SessionState>) =>
  Effect.map(state.history.items, (history) => ({ ...state, history }))

/** What a restart would find in this file. */
export const restarted = Effect.fnUntraced(function* (file: SegmentFile) {
  const { content, tornBytes } = yield* replay(file, { sessions: yield* SessionStore })
  return { state: yield* plain(content.state), index: content.index, points: content.points, tornBytes }
})
