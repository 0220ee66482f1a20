/** A journal on a new segment of the store in the context, without a pod around it. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import type { BroadcastEvent } from "../../src/protocol/Event.ts"
import { Content } from "../../src/session/Content.ts"
import * as Journal from "../../src/session/Journal.ts"
import { type SegmentFile, SessionStore } from "../../src/session/SessionStore.ts"

export const ref = {
  sessionId: "0197a1c2-0000-7000-8000-000000000001",
  segmentId: "0197a1c2-0000-7000-8000-000000000002"
}
const config = { max_tokens: null, temperature: null, top_p: null, top_k: null, stop_sequences: [], reasoning: null }
const opening: ReadonlyArray<Journal.Step> = [
  { kind: "segment_start", session_id: ref.sessionId, system_prompt: "be good", config, history: [] },
  { kind: "extension", domain: "pod.format", payload: { version: 1 } },
  // Not a line: places in the file must not be confused by it.
  { emit: { event: "status", data: { status: "idle" } } }
]

/** `wrap` may break the file. */
export const journalOn = Effect.fnUntraced(function* (wrap: (file: SegmentFile) => SegmentFile = (file) => file) {
  const store = yield* SessionStore
  const scope = yield* Effect.scope
  let file: SegmentFile | undefined
  const journal = yield* Journal.make({
    epoch: "e1",
    content: new Content(),
    file: undefined,
    materialise: Effect.gen(function* () {
      file = yield* store.create(ref)
      return { file: wrap(file), opening }
    }).pipe(Scope.provide(scope)),
    next: Effect.gen(function* () {
      file = yield* store.create({ ...ref, segmentId: "0197a1c2-0000-7000-8000-000000000003" })
      return { file, adopt: Effect.void, abandon: Effect.void }
    }).pipe(Scope.provide(scope)),
    sessions: store,
    syncs: true
  })
  return { journal, file: () => file as SegmentFile }
})

export const say = (text: string): Journal.Step => ({ kind: "user_input", segments: [{ kind: "text", content: text }] })
export const delta = (text: string): BroadcastEvent => ({ event: "text_delta", data: { text } })
