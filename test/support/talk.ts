/** Things that tests say to a pod on the bench, over and over. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { PodHandle } from "../../src/pod/PodHandle.ts"
import type { LogEntry } from "../../src/protocol/LogEntry.ts"
import type { ProbeModel } from "./ProbeModel.ts"

/** One run with a plain answer. Returns what the model was asked, when the run has ended. */
export const say = Effect.fnUntraced(function* (
  { handle, model }: { readonly handle: PodHandle; readonly model: ProbeModel },
  text: string
) {
  const ended = yield* Effect.forkChild(handle.runToEnd(text))
  const call = yield* model.next
  yield* call.answer(`answer to ${text}`)
  yield* Fiber.join(ended)
  return call.request
})

export const entriesOf = (handle: PodHandle) =>
  Effect.map(handle.readEntries(0, 1_000), ({ entries }) => entries.map((text) => JSON.parse(text) as LogEntry))

/** The words of the users' inputs in the log. */
export const inputs = (entries: ReadonlyArray<LogEntry>): ReadonlyArray<string> =>
  entries.flatMap((entry) =>
    entry.kind === "user_input" && entry.segments[0]?.kind === "text" ? [entry.segments[0].content] : []
  )

/** What the model was asked, message by message: the words, or who has said what is more than words. */
export const texts = (messages: ReadonlyArray<{ readonly role: string; readonly text?: string }>) =>
  messages.map((message) => message.text ?? message.role)

/** The place before the input with these words, as it is listed now. */
export const target = Effect.fnUntraced(function* (handle: PodHandle, words: string) {
  const { head_entries, targets } = yield* handle.rewindTargets
  const found = targets.find(({ preview }) => preview === words)
  if (found === undefined) throw new Error(`there is no target "${words}"`)
  return { id: found.id, head: head_entries }
})

/** Takes the session back to before the input with these words. */
export const back = Effect.fnUntraced(function* (handle: PodHandle, words: string) {
  const { head, id } = yield* target(handle, words)
  return yield* handle.rewindTo(id, head)
})
