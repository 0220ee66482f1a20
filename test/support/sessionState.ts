/** The state of a session as values that can be compared, its history read. */
import * as Effect from "effect/Effect"
import type { SessionState } from "../../src/session/Fold.ts"
import type { HiddenRange } from "../../src/session/Marks.ts"
import { replay } from "../../src/session/Replay.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"

export const plain = (state: Readonly<SessionState>) =>
  Effect.map(state.history.items, (history) => ({ ...state, history }))

/** What a restart would find in this file. */
export const restarted = (file: SegmentFile) => read(file, undefined)

/** The same, read by somebody who knows beforehand what the marks in it hide. */
export const restartedKnowing = (file: SegmentFile) =>
  Effect.flatMap(read(file, undefined), ({ marks }) => read(file, marks))

const read = Effect.fnUntraced(function* (file: SegmentFile, known: ReadonlyArray<HiddenRange> | undefined) {
  const options = { sessions: yield* SessionStore, ...(known === undefined ? {} : { marks: known }) }
  const { content, tornBytes } = yield* replay(file, options)
  const { index, marks, points, state } = content
  return { state: yield* plain(state), index, marks, points, tornBytes }
})
